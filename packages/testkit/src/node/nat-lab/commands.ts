// iproute2, nftables and their like, run to their end; what they say when they fail is the error.
import { spawn } from 'node:child_process';

/** Runs a program with `input` on its standard input and returns what it printed. */
export async function runCommand(
  command: string,
  args: readonly string[],
  input = '',
): Promise<string> {
  return await new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: 'pipe' });
    let output = '';
    let errors = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text;
    });
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(output);
      else reject(new Error(`${command} ${args.join(' ')}: exit ${code}: ${errors}\n${input}`));
    });
    child.stdin.on('error', () => undefined); // It may end before it has read everything; its exit code tells.
    child.stdin.end(input);
  });
}

/** The command line that runs a program inside a named namespace: the process becomes that program, so its id is the program's. */
export function insideNamespace(
  namespace: string,
  command: string,
  args: readonly string[],
): [string, string[]] {
  return ['nsenter', [`--net=/run/netns/${namespace}`, '--', command, ...args]];
}

/** Runs a program inside a named namespace. */
export async function runInside(
  namespace: string,
  command: string,
  args: readonly string[],
  input = '',
): Promise<string> {
  return await runCommand(...insideNamespace(namespace, command, args), input);
}
