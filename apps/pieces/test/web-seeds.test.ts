// Downloads from HTTP servers on loopback (BEP 19).

import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { LOCALHOST, pieces, type Shared, seed, share, useTempFolder } from './harness.ts';

const folder = useTempFolder();
const TREE = { 'a b.bin': 200_000, 'sub/ü.bin': 50_001, 'sub/empty': 0, 'c.txt': 7 };

/** A server with ranges that has what is shared under `/pub/tree/`, and spoils it if it is told to. */
async function listenWeb(isWrong = false) {
  let shared: Shared | undefined;
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? '');
    asked.push(path);
    const file = shared?.originals.get(path.replace('/pub/tree/', ''));
    if (file === undefined) {
      response.writeHead(404).end();
      return;
    }
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
    const [start, end] = range ? [Number(range[1]), Number(range[2]) + 1] : [0, file.length];
    response.writeHead(range === null ? 200 : 206, {
      ...(range && { 'Content-Range': `bytes ${start}-${end - 1}/${file.length}` }),
    });
    const body = file.subarray(start, end);
    response.end(isWrong ? body.map((byte) => byte ^ 1) : body);
  });
  server.listen(0, LOCALHOST);
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://${LOCALHOST}:${(server.address() as AddressInfo).port}/pub/`,
    asked,
    has: (what: Shared) => {
      shared = what;
    },
  };
}

const download = (shared: Shared, ...args: string[]) =>
  pieces(['-t', shared.file, '--dir', join(folder.path, 'copy'), ...args]);

async function expectSame({ originals }: Shared): Promise<void> {
  for (const [name, bytes] of originals) {
    const copy = await readFile(join(folder.path, 'copy', 'tree', name));
    expect(Buffer.compare(copy, bytes), name).toBe(0);
  }
}

describe('a web seed', () => {
  it('gives a tree of files without any peer, and --timeout does not end that', async () => {
    const web = await listenWeb();
    const shared = await share(folder.path, TREE, { webSeeds: [web.url] });
    web.has(shared);
    const { code, error, out } = await download(shared, '--timeout', '5', '-v');
    expect({ code, error }).toEqual({ code: 0, error: '' });
    expect(out).toContain(`Web seed ${web.url.replace('/pub/', '')} serves\n`);
    await expectSame(shared);
    expect(web.asked).not.toContain('/pub/tree/sub/empty');
  });

  it('is dropped for wrong bytes, and the rest comes from a peer', async () => {
    const web = await listenWeb(true);
    const shared = await share(folder.path, TREE, { webSeeds: [web.url] });
    web.has(shared);
    const { peer } = await seed(shared, { maxUpBytesPerSecond: 100_000 });
    const { code, out } = await download(shared, ...peer, '--json');
    expect(code).toBe(0);
    await expectSame(shared);
    const events = out.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]));
    const outcomes = events.filter(({ event }) => event === 'web-seed').map((e) => e.outcome);
    expect(outcomes).toContain('banned');
    expect(events.some(({ event }) => event === 'peer-banned')).toBe(false);
  });

  it('is not asked with --no-web-seeds', async () => {
    const web = await listenWeb();
    const shared = await share(folder.path, TREE, { webSeeds: [web.url] });
    web.has(shared);
    const { peer } = await seed(shared);
    expect(await download(shared, ...peer, '--no-web-seeds', '--quiet')).toMatchObject({ code: 0 });
    expect(web.asked).toEqual([]);
  });
});
