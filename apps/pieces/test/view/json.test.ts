// Every event that the README documents is seen in a real run, with the fields that it documents.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { encode } from '@bt/bencode';
import type { TorrentEvent } from '@bt/engine';
import { parseMagnet } from '@bt/metainfo';
import { StorageError } from '@bt/storage';
import { TrackerServer } from '@bt/tracker/node';
import { expect, it, onTestFinished } from 'vitest';
import { JsonView } from '../../src/view/json.ts';
import { type JsonEvent, KiB, LOCALHOST, pieces, seed, share, useTempFolder } from '../harness.ts';

const folder = useTempFolder();

/** The events of the README's table: name to the words in backticks that follow it. */
async function documented(): Promise<Map<string, string[]>> {
  const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
  const table = readme.slice(readme.indexOf('## Events of'));
  const rows = [...table.matchAll(/^\| `([a-z-]+)` *\| (.*) \|$/gm)];
  return new Map(
    rows.map(([, name = '', text = '']) => {
      // What stands in brackets are values.
      const fields = text
        .replace(/\([^)]*\)|: `[^|]*$|fields of `progress`/g, '')
        .matchAll(/`([A-Za-z]+)`/g);
      return [name, [...fields].map(([, field = '']) => field)];
    }),
  );
}

/** Events that no peaceful run on loopback has, from the type that the engine promises. */
const rare: readonly TorrentEvent[] = [
  { type: 'peer-banned', address: '10.0.0.1', port: 6881, reason: 'bad-data' },
  {
    type: 'disk-error',
    error: new StorageError('no-space', '/a/b: no space left', { path: '/a/b' }),
  },
  {
    type: 'save-failed',
    pieceIndex: 4,
    error: new StorageError('truncated', '/a/b: too short', { path: '/a/b' }),
  },
  { type: 'metadata', name: 'x', version: 'v1', totalBytes: 1, pieceCount: 1, fileCount: 1 },
  { type: 'piece-failed', pieceIndex: 3 },
  { type: 'piece-layers' },
  { type: 'peer-unreachable', address: '192.0.2.7', port: 6881, message: 'ECONNREFUSED' },
  {
    type: 'web-seed',
    index: 0,
    url: 'https://mirror.example',
    outcome: 'no-file',
    message: 'HTTP status 404',
    fileIndex: 1,
    retryMs: undefined,
  },
  {
    type: 'web-seed',
    index: 0,
    url: 'https://mirror.example',
    outcome: 'waiting',
    message: 'HTTP status 503',
    fileIndex: undefined,
    retryMs: 5_000,
  },
  {
    type: 'port-mapping',
    protocol: 'tcp',
    port: 6881,
    outcome: 'ok',
    message: 'said when it failed',
    externalPort: 6881,
    externalAddress: '203.0.113.5',
    gatewayProtocol: 'PCP',
  },
  {
    type: 'peer-closed',
    address: '10.0.0.1',
    port: 6881,
    reason: 'connection-error',
    message: 'ECONNRESET',
  },
];

function eventsOf(events: readonly TorrentEvent[]): JsonEvent[] {
  const seen: JsonEvent[] = [];
  const terminal = {
    isTerminal: false,
    columns: 80,
    out: (text: string) => seen.push(JSON.parse(text)),
    error: () => {},
  };
  const view = new JsonView(terminal, { seed: false });
  for (const event of events) view.event(event);
  view.pointer(new Uint8Array(32), { infoHash: new Uint8Array(20), sequence: 1n });
  const hashes = `xt=urn:btih:${'ab'.repeat(20)}&xt=urn:btmh:1220${'cd'.repeat(32)}`;
  const listening = { address: LOCALHOST, port: 1, dht: { port: 2 } };
  view.searching(parseMagnet(`magnet:?${hashes}&dn=x`), listening);
  view.saved('/a.torrent');
  return seen;
}

it('prints every documented event with its fields', async () => {
  const tracker = new TrackerServer();
  await tracker.listen({ host: LOCALHOST });
  onTestFinished(() => tracker.close());
  const shared = await share(
    folder.path,
    { a: 64 * KiB, b: 100 },
    { announceTiers: [[`http://${LOCALHOST}:1/nobody`], [tracker.url]] },
  );
  const dir = join(folder.path, 'copy');
  const { peer } = await seed(shared, { maxUpBytesPerSecond: 40 * KiB });
  const seen: JsonEvent[] = [];
  const run = async (...args: string[]) =>
    seen.push(...(await pieces(['-t', shared.file, '--dir', dir, '--json', ...args])).events);
  await run(...peer, '--seed-time', '0', '--peer', 'nowhere.invalid:1');
  await run('--check');

  const info = {
    files: [{ length: 1, path: ['CON'] }],
    name: 'tree',
    'piece length': 16 * KiB,
    pieces: new Uint8Array(20),
  };
  await writeFile(shared.file, encode({ info }));
  await run('--timeout', '0.01');
  seen.push(...eventsOf(rare));

  const table = await documented();
  expect([...table.keys()]).toContain('peer-banned');
  for (const [name, fields] of table) {
    const events = seen.filter(({ event }) => event === name);
    expect(events.length, name).toBeGreaterThan(0);
    // Some events of a name carry a field, such as a failed tracker's message; all carry `event` first.
    const carried = new Set(events.flatMap((event) => Object.keys(event)));
    expect([...carried], name).toEqual(expect.arrayContaining(fields));
    for (const event of events) expect(Object.keys(event)[0]).toBe('event');
  }
  for (const { event } of seen) expect([...table.keys()]).toContain(event);
});
