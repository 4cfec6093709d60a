import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { EXIT } from '../src/exit-codes.ts';
import { parseOptions } from '../src/options.ts';
import { run } from '../src/run.ts';

const cleanUps: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** The program on loopback, and what it says. */
function start(...args: string[]) {
  const options = parseOptions(['--bind', '127.0.0.1', ...args], '1.2.3');
  if ('text' in options) throw new Error(options.text);
  const interrupted = new AbortController();
  const said = { out: '', error: '' };
  let wake = () => {};
  const code = run(options, {
    out: (text) => {
      said.out += text;
      wake();
    },
    error: (text) => {
      said.error += text;
    },
    interrupted: interrupted.signal,
  });
  const stop = async () => {
    interrupted.abort();
    return await code;
  };
  cleanUps.push(stop);
  /** The event of that name, once it is printed. */
  const event = async (name: string): Promise<Record<string, unknown>> => {
    for (;;) {
      const lines = said.out.split('\n').filter((line) => line !== '');
      const found = lines.map((line) => JSON.parse(line)).find((line) => line.event === name);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  return { said, code, stop, event };
}

describe('run', () => {
  it('serves until it is interrupted', async () => {
    const { event, stop, said } = start('0', '--json', '--metrics', '127.0.0.1:0');
    const { port, addresses } = await event('listening');
    expect(addresses).toEqual(['127.0.0.1']);
    const { at } = await event('metrics');
    expect(await (await fetch(`http://127.0.0.1:${port}/health`)).text()).toBe('ok\n');
    expect((await fetch(`http://127.0.0.1:${port}/metrics`)).status).toBe(404);
    expect(await (await fetch(`${at}`)).text()).toContain('\nnat_punch_pools 0\n');
    expect(await stop()).toBe(EXIT.done);
    expect(said.error).toBe('');
    const events = said.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).event);
    expect(events).toEqual(['listening', 'metrics', 'draining', 'closed']);
  });

  it('speaks to people in sentences', async () => {
    const { said, stop } = start('0');
    expect(await stop()).toBe(EXIT.done);
    expect(said.out).toMatch(/^Listening on port \d+ of 127\.0\.0\.1\.\nDraining: [^\n]+\.\n$/);
  });

  it('says which port another program has', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    cleanUps.push(() => other.close());
    const { port } = other.address() as { port: number };
    const { code, said } = start(`${Math.min(port, 65_534)}`);
    expect(await code).toBe(EXIT.socket);
    expect(said.error).toMatch(/^p2p-server: [^\n]*EADDRINUSE: another program has it[^\n]*\.\n$/);
  });

  it('says which address is not here', async () => {
    const { code, said } = start('0', '--bind', '192.0.2.77');
    expect(await code).toBe(EXIT.socket);
    expect(said.error).toContain('192.0.2.77');
  });

  it('says which file can not be read, or is no certificate', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'bt-p2p-server-'));
    cleanUps.push(() => rm(folder, { recursive: true }));
    const path = join(folder, 'x.pem');
    const missing = start('0', '--cert', path, '--key', path);
    expect(await missing.code).toBe(EXIT.file);
    expect(missing.said.error).toBe(`p2p-server: ${path} can't be read (ENOENT).\n`);
    await writeFile(path, 'no certificate');
    const wrong = start('0', '--cert', path, '--key', path);
    expect(await wrong.code).toBe(EXIT.file);
    expect(wrong.said.error).toMatch(/^p2p-server: [^\n]*certificate[^\n]*\.\n$/);
  });
});
