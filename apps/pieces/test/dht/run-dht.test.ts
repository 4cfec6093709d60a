import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createDht, type DhtNode } from '@bt/krpc-dht/node';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parseDhtOptions } from '../../src/dht/dht-options.ts';
import { runDht } from '../../src/dht/run-dht.ts';
import { LOCALHOST, useTempFolder } from '../harness.ts';

const folder = useTempFolder();

async function network(rateLimit = false): Promise<string> {
  const nodes: DhtNode[] = [];
  for (let i = 0; i < 4; i += 1) {
    const bootstrap = nodes.slice(0, 1).map(({ port }) => `${LOCALHOST}:${port}`);
    const node = await createDht({ bind: LOCALHOST, bootstrap, rateLimit });
    onTestFinished(() => node.close());
    nodes.push(node);
  }
  // Items are kept by nodes that have found each other.
  while (nodes.some((node) => node.nodeCount() < 3)) await new Promise(setImmediate);
  return `${LOCALHOST}:${nodes[0]?.port}`;
}

/** `pieces dht ...args` on loopback. */
async function dht(
  args: readonly string[],
  watching: {
    signal?: AbortSignal;
    onOut?: (text: string) => void;
    onError?: (text: string) => void;
    bind?: string;
  } = {},
) {
  const parsed = parseDhtOptions([...args, '--bind', watching.bind ?? LOCALHOST]);
  if ('isError' in parsed) throw new Error(parsed.text);
  let [out, error] = ['', ''];
  const terminal = {
    isTerminal: false,
    columns: 80,
    out: (text: string) => {
      out += text;
      watching.onOut?.(text);
    },
    error: (text: string) => {
      error += text;
      watching.onError?.(text);
    },
  };
  const code = await runDht(parsed, terminal, watching.signal ?? new AbortController().signal);
  return { code, out, error };
}

describe('pieces dht', () => {
  it('runs a node until it is interrupted, and tells how it is', async () => {
    const hub = await network();
    const abort = new AbortController();
    const lines: Record<string, unknown>[] = [];
    const args = ['--bootstrap', hub, '--every', '0.1', '--json'];
    const { code } = await dht(args, {
      signal: abort.signal,
      onOut: (text) => {
        const line = JSON.parse(text);
        lines.push(line);
        if (line.event === 'statistics' && line.ipv4.nodes.good > 0) abort.abort();
      },
    });
    expect(code).toBe(0);
    expect(lines[0]).toMatchObject({ event: 'started', address: LOCALHOST });
    expect(lines.at(-1)).toMatchObject({ event: 'stopped' });
    expect(lines.at(-1)).toHaveProperty('queriesOut.find_node');
  });

  it('says it in words, too', async () => {
    const abort = new AbortController();
    const { code, out } = await dht(['--every', '0.1'], {
      signal: abort.signal,
      onOut: (text) => {
        if (text.startsWith('IPv4')) abort.abort();
      },
    });
    expect(code).toBe(0);
    expect(out).toMatch(/^DHT node on 127.0.0.1, UDP port \d+\nIPv4 0 nodes {2}queries in 0 out 0/);
    expect(out).toMatch(/\nkept {9}0 peers of 0 torrents, 0 items\n/);
  });

  it('warns of nodes that it can not use, and when none answers', async () => {
    const silent = await createDht({ bind: LOCALHOST });
    const hub = `${LOCALHOST}:${silent.port}`;
    await silent.close();
    const run = async (...more: string[]) => {
      const abort = new AbortController();
      const watch = (text: string) => {
        if (text.includes('answered')) abort.abort();
      };
      const args = ['-d', `nosuch.example:1,${hub}`, '--every', '60', ...more];
      return await dht(args, { signal: abort.signal, onOut: watch, onError: watch });
    };
    const said = await run();
    expect(said.code).toBe(0);
    expect(said.error).toBe(
      'Warning: DHT node nosuch.example:1: not asked from loopback.\n' +
        'Warning: no node of the DHT has answered so far; name others with -d.\n',
    );
    const { out, error } = await run('--json');
    expect(error).toBe('');
    const warnings = out.split('\n').filter((line) => line.includes('"warning"'));
    expect(warnings.map((line) => JSON.parse(line))).toEqual([
      { event: 'warning', message: 'DHT node nosuch.example:1: not asked from loopback' },
      {
        event: 'warning',
        message: 'no node of the DHT has answered so far; name others with -d',
      },
    ]);
  });

  it('says which port is taken', async () => {
    const node = await createDht({ bind: LOCALHOST });
    onTestFinished(() => node.close());
    const said = await dht(['--port', `${node.port}`]);
    expect(said).toMatchObject({ code: 2, out: '' });
    expect(said.error).toContain(`Another program uses UDP port ${node.port}`);
  });
});

describe('an item that can not change', () => {
  it('is put, and got by its target (BEP 44, "Test vectors", test 3)', async () => {
    const hub = await network();
    const put = await dht(['put', 'Hello World!', '--bootstrap', hub]);
    expect(put).toMatchObject({ code: 0, out: 'e5f96f6f38320f0f33959cb4d3d656452117aadb\n' });
    expect(put.error).toMatch(/^Kept by \d nodes under e5f9/);
    const get = await dht(['get', put.out.trim(), '--bootstrap', hub]);
    expect(get).toEqual({ code: 0, out: 'Hello World!\n', error: '' });
    const raw = await dht(['get', put.out.trim(), '--bootstrap', hub, '--bencoded']);
    expect(raw.out).toBe('12:Hello World!\n');
    const json = await dht(['get', put.out.trim(), '--bootstrap', hub, '--json']);
    expect(JSON.parse(json.out)).toEqual({
      event: 'item',
      target: put.out.trim(),
      text: 'Hello World!',
      bencoded: Buffer.from('12:Hello World!').toString('hex'),
    });
  });

  it('is got whatever its size, by a node that nobody has seen before', async () => {
    const hub = await network(true);
    for (const text of ['x'.repeat(400), 'y'.repeat(990)]) {
      const put = await dht(['put', text, '--bootstrap', hub]);
      expect(put.code).toBe(0);
      const get = await dht(['get', put.out.trim(), '--bootstrap', hub], { bind: '127.0.0.99' });
      expect(get).toEqual({ code: 0, out: `${text}\n`, error: '' });
    }
  });

  it('may be any bencode, of a file', async () => {
    const hub = await network();
    const file = join(folder.path, 'value');
    await writeFile(file, 'd1:ai1ee');
    const put = await dht(['put', '--file', file, '--bencoded', '--bootstrap', hub]);
    const get = await dht(['get', put.out.trim(), '--bootstrap', hub]);
    expect(get.out).toBe('d1:ai1ee\n');
  });

  it('does not bring control characters to the terminal', async () => {
    const hub = await network();
    const put = await dht(['put', 'a\u001b[2Jb\nc', '--bootstrap', hub]);
    const get = await dht(['get', put.out.trim(), '--bootstrap', hub]);
    expect(get.out).toBe('a\ufffd[2Jb\nc\n');
  });

  it('is nobody’s when nobody has put it', async () => {
    const hub = await network();
    const said = await dht(['get', 'ab'.repeat(20), '--bootstrap', hub]);
    expect(said).toEqual({ code: 5, out: '', error: 'pieces: Nobody has this item.\n' });
  });

  it.each([
    [['put', 'x'.repeat(1000)], 'The value has 1005 bytes when bencoded; 1000 are kept at most.'],
    [['put', 'i1', '--bencoded'], 'The value is not bencoded.'],
    [['put', '--file', '/nowhere/x'], "/nowhere/x can't be read (ENOENT)."],
  ])('%j is refused', async (args, sentence) => {
    const { code, error } = await dht(args);
    expect(code).not.toBe(0);
    expect(error).toBe(`pieces: ${sentence}\n`);
  });

  it('is refused in a file that is too long', async () => {
    const file = join(folder.path, 'value');
    await writeFile(file, 'x'.repeat(1001));
    const { code, error } = await dht(['put', '--file', file]);
    expect(code).toBe(2);
    expect(error).toBe(`pieces: ${file} has more than the 1000 bytes that are kept at most.\n`);
  });
});

describe('an item under a key', () => {
  it('is put, changed, and got by key and salt', async () => {
    const hub = await network();
    const key = join(folder.path, 'my.key');
    const put = (...args: string[]) => dht(['put', ...args, '--key', key, '--bootstrap', hub]);
    const first = await put('one', '--salt', 'news');
    expect(first.code).toBe(0);
    expect(first.error).toContain(`Made a new key: ${key}.`);
    expect(first.error).toContain(', as number 1.');
    const get = async () =>
      (await dht(['get', first.out.trim(), '--salt', 'news', '--bootstrap', hub])).out;
    expect(await get()).toBe('one\n');
    const second = await put('two', '--salt', 'news');
    expect(second.error).toMatch(
      /^Kept by \d nodes under [0-9a-f]{40}, as number 2 in the place of 1.\n$/,
    );
    expect(await get()).toBe('two\n');
    const wrong = await put('three', '--salt', 'news', '--seq', '3', '--cas', '1');
    expect(wrong).toMatchObject({ code: 5, out: '' });
    expect(wrong.error).toBe('pieces: Another item is there than the one that --cas names.\n');
    const low = await put('three', '--salt', 'news', '--seq', '1');
    expect(low.error).toBe('pieces: An item with a higher number is there: leave --seq away.\n');
    const right = await put('three', '--salt', 'news', '--seq', '9', '--cas', '2', '--json');
    expect(JSON.parse(right.out)).toMatchObject({ event: 'put', sequence: '9', text: 'three' });
    expect(await get()).toBe('three\n');
  });

  it('needs a key file that is one', async () => {
    const file = join(folder.path, 'no.key');
    await writeFile(file, 'nonsense');
    const { code, error } = await dht(['put', 'x', '--key', file]);
    expect(code).toBe(2);
    expect(error).toContain('is no key file');
  });
});

describe('a DHT where nobody answers', () => {
  it('is told, with what to do', async () => {
    const silent = await createDht({ bind: LOCALHOST });
    const hub = `${LOCALHOST}:${silent.port}`;
    await silent.close();
    const said = await dht(['get', 'ab'.repeat(20), '--bootstrap', hub]);
    expect(said).toMatchObject({ code: 5, out: '' });
    expect(said.error).toBe('pieces: No node of the DHT has answered: name others with -d.\n');
    const strange = await dht(['get', 'ab'.repeat(20), '-d', '[::1]:1']);
    expect(strange.error).toMatch(
      /^Warning: DHT node \[::1\]:1: an IPv6 address, .*\.\npieces: No node of the DHT has answered/,
    );
  });

  it('is given up after --timeout, and left when it is interrupted', async () => {
    const silent = await createDht({ bind: LOCALHOST });
    const hub = `${LOCALHOST}:${silent.port}`;
    await silent.close();
    const args = ['get', 'ab'.repeat(20), '--bootstrap', hub];
    const late = await dht([...args, '--timeout', '0.1', '--json']);
    expect(late.code).toBe(5);
    expect(JSON.parse(late.out)).toMatchObject({ event: 'error', exitCode: 5 });
    const interrupted = await dht(args, { signal: AbortSignal.abort() });
    expect(interrupted).toEqual({ code: 130, out: '', error: '' });
  });
});
