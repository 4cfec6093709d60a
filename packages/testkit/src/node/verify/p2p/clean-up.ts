// Whatever ends a lab (its own end, Ctrl-C, a crash), no process, namespace or interface of it stays.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { namespaceObstacle } from '../../namespace.ts';
import { runCommand } from '../../nat-lab/commands.ts';
import type { VerifyContext, VerifyLine, VerifyResult } from '../line.ts';

const SCRIPT = fileURLToPath(new URL('../../nat-lab/standing-lab.ts', import.meta.url));
/** Marks the processes of one lab by their environment. */
const MARK = 'BT_STANDING_LAB';
const GONE_WITHIN_MS = 5_000;

async function* cleanUp(_context: VerifyContext): AsyncGenerator<VerifyResult> {
  const obstacle = namespaceObstacle();
  if (obstacle !== undefined) throw new Error(obstacle);
  for (const end of ['close', 'SIGINT', 'SIGTERM', 'SIGKILL'] as const) {
    const before = await namespacesAndLinks();
    const mark = `${process.pid}-${end}`;
    const lab = spawn(
      process.execPath,
      [...process.execArgv, SCRIPT, ...(end === 'close' ? ['--close'] : [])],
      // A process group of its own, to be ended together as a terminal does.
      { stdio: ['pipe', 'pipe', 'inherit'], detached: true, env: { ...process.env, [MARK]: mark } },
    );
    const exited = once(lab, 'exit');
    await standing(lab);
    const standingProcesses = (await marked(mark)).length;
    if (end === 'SIGKILL') lab.kill('SIGKILL');
    else if (end !== 'close' && lab.pid !== undefined) process.kill(-lab.pid, end);
    await exited;
    const begin = performance.now();
    let left = await marked(mark);
    while (left.length > 0 && performance.now() - begin < GONE_WITHIN_MS) {
      await sleep(20);
      left = await marked(mark);
    }
    const after = await namespacesAndLinks();
    for (const pid of left) process.kill(pid, 'SIGKILL');
    yield {
      command: `a lab of ${standingProcesses} processes, ended by ${end}`,
      figure: `${left.length} processes left; namespaces and links ${after === before ? 'as before' : `changed from ${before} to ${after}`}`,
      pass: standingProcesses > 0 && left.length === 0 && after === before,
    };
  }
}

async function standing(lab: ChildProcess): Promise<void> {
  for await (const chunk of lab.stdout ?? []) {
    if (String(chunk).includes('standing')) return;
  }
  throw new Error('the lab ended before it stood');
}

async function namespacesAndLinks(): Promise<string> {
  const names = await readdir('/run/netns').catch(() => []);
  const links = await runCommand('ip', ['-brief', 'link']);
  return JSON.stringify([names, links.match(/^\S+/gm)]);
}

async function marked(mark: string): Promise<number[]> {
  const found: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const environment = await readFile(`/proc/${name}/environ`, 'latin1').catch(() => '');
    if (environment.includes(`${MARK}=${mark}`)) found.push(Number(name));
  }
  return found;
}

export const cleanUpLine: VerifyLine = {
  name: 'clean-up',
  title: 'the NAT lab leaves nothing behind',
  needs: ['ip', 'nft', 'conntrack', 'nsenter'],
  outside: true,
  run: cleanUp,
};
