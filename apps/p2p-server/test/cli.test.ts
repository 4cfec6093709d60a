import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it } from 'vitest';

const CLI = fileURLToPath(new URL('../src/cli.ts', import.meta.url));
const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

function start(...args: string[]) {
  const command = ['--conditions=@bt/source', '--import', 'tsx', CLI, ...args];
  const child = spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  const said = { out: '', error: '' };
  child.stdout.on('data', (data) => {
    said.out += data;
  });
  child.stderr.on('data', (data) => {
    said.error += data;
  });
  return { child, said };
}

it.each(['SIGTERM', 'SIGINT'] as const)('ends with 0 after %s', async (signal) => {
  const { child, said } = start('0', '--bind', '127.0.0.1');
  while (!said.out.includes('Listening')) await once(child.stdout!, 'data');
  child.kill(signal);
  expect(await once(child, 'close')).toEqual([0, null]);
  expect(said.error).toBe('');
});

it('ends with 2 for wrong usage', async () => {
  const { child, said } = start('port');
  expect(await once(child, 'close')).toEqual([2, null]);
  expect(said.error).toMatch(/^p2p-server: [^\n]+\n$/);
});
