import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createDht, type DhtNode } from '@bt/krpc-dht/node';
import { parseMetainfo } from '@bt/metainfo';
import { describe, expect, it, onTestFinished } from 'vitest';
import { dhtOf, dhtStateFile, networkOf } from '../src/dht-choice.ts';
import { parseOptions } from '../src/options.ts';
import { LOCALHOST, pieces, type Shared, seed, share, useTempFolder } from './harness.ts';

const folder = useTempFolder();
const TREE = { 'one.bin': 40_000, 'two.bin': 30_000 };

/** Without limits: all nodes of a test have one address, which would be taken for one busy stranger. */
async function openNode(bootstrap: readonly string[] = []): Promise<DhtNode> {
  const node = await createDht({ bind: LOCALHOST, bootstrap, rateLimit: false });
  onTestFinished(() => node.close());
  return node;
}

function addressOf(node: DhtNode): string {
  return `${LOCALHOST}:${node.port}`;
}

/** What `pieces` would do about the DHT with these arguments. */
async function choiceOf(shared: Shared, ...args: string[]) {
  const options = parseOptions(['-t', shared.file, ...args], '1.2.3');
  if ('text' in options) throw new Error(options.text);
  return await dhtOf(options, parseMetainfo(await readFile(shared.file)));
}

describe('a torrent without a tracker', () => {
  it('is found in the DHT that -d names, and tells how with -v', async () => {
    const hub = addressOf(await openNode());
    const shared = await share(folder.path, TREE);
    const { handle } = await seed(shared, { dht: { bootstrap: [hub] } });
    const asking = await openNode([hub]);
    const { info } = await handle.metadata;
    const announced = async () => {
      // A hub that is too busy to answer is asked again.
      const first = asking.getPeers(info.infoHash).next();
      return (await first.catch(() => undefined))?.value;
    };
    while ((await announced()) === undefined);
    const dir = join(folder.path, 'copy');
    const args = ['-t', shared.file, '--dir', dir, '-v', '-d', hub];
    const { code, out, error } = await pieces(args);
    expect({ code, error }).toEqual({ code: 0, error: '' });
    expect(out).toMatch(/\nDHT node on UDP port \d+\n/);
    expect(out).toMatch(/\nPeer 127.0.0.1 port \d+ \(bt-engine .*\), found in the DHT\n/);
    const got = await readFile(join(dir, 'tree', 'one.bin'));
    expect(shared.originals.get('one.bin')?.equals(got)).toBe(true);
  });

  it('has a DHT by itself, with the public routers and a table that is kept', async () => {
    const shared = await share(folder.path, TREE);
    const choice = await choiceOf(shared);
    const stateFile = await dhtStateFile(undefined, undefined);
    expect(choice).toMatchObject({ port: 0, bootstrap: undefined, stateFile });
    expect(await choiceOf(shared, '--no-dht')).toBe(false);
    expect(await choiceOf(shared, '-p', '7000', '-d', 'a:1')).toMatchObject({
      port: 7000,
      bootstrap: ['a:1'],
    });
  });

  it('has none where it is private', async () => {
    const shared = await share(folder.path, TREE, { isPrivate: true });
    expect(await choiceOf(shared)).toBe(false);
  });
});

describe('a torrent with a tracker', () => {
  it('has a DHT with -d alone', async () => {
    const announceTiers = [['http://tracker.example/announce']];
    const shared = await share(folder.path, TREE, { announceTiers });
    expect(await choiceOf(shared)).toBe(false);
    expect(await choiceOf(shared, '--no-trackers')).toBe(false);
    expect(await choiceOf(shared, '-d')).toMatchObject({ port: 0 });
  });
});

describe('a DHT that is not entered', () => {
  const link = `magnet:?xt=urn:btih:${'1'.repeat(40)}`;
  const getting = (...args: string[]) => pieces(['-m', link, '--dir', folder.path, ...args]);

  it('is told of, while nobody answers and at the end', async () => {
    const silent = await openNode();
    const hub = addressOf(silent);
    await silent.close();
    const { code, error } = await getting('-d', hub, '--timeout', '2');
    expect(code).toBe(5);
    expect(error).toBe(
      'Warning: no node of the DHT has answered so far; name others with -d.\n' +
        'pieces: Nobody that has the metadata of the magnet link was found for 2 s, and no node of the DHT has answered; try later, name a peer with --peer or nodes with -d, or wait longer with --timeout.\n',
    );
    const json = await getting('-d', hub, '--timeout', '2', '--json');
    expect(json.events.find(({ event }) => event === 'warning')).toMatchObject({
      message: 'no node of the DHT has answered so far; name others with -d',
    });
    expect(json.events.find(({ event }) => event === 'progress')).toMatchObject({ dhtNodes: 0 });
    const verbose = await getting('-d', hub, '--timeout', '1', '-v');
    expect(verbose.out).toContain('Metadata 0.0%  0 peers  0 DHT nodes\n');
  });

  it('is told of where a node has another family, or a name that is not resolved', async () => {
    const { error } = await getting('-d', '[::1]:7600,nosuch.example:6881', '--timeout', '0.5');
    expect(error).toContain(
      'Warning: DHT node [::1]:7600: an IPv6 address, while this node has IPv4 alone.\n',
    );
    expect(error).toContain('Warning: DHT node nosuch.example:6881: not asked from loopback.\n');
  });

  it('is nobody to ask on loopback, where no node is named', async () => {
    const { code, error } = await getting('--timeout', '0.5');
    expect(code).toBe(5);
    expect(error).toMatch(/^Warning: there is nobody to ask for peers/);
  });

  it('is not told of when nodes have answered', async () => {
    const hub = addressOf(await openNode());
    const { error } = await getting('-d', hub, '--timeout', '2');
    expect(error).toMatch(
      /^pieces: Nobody that has the metadata [^,]* was found for 2 s; try later/,
    );
  });
});

describe('the table of a DHT', () => {
  it('is not what says who a node is: several runs may share it', async () => {
    const [one, other] = [await networkOf(['a:1'], undefined), await networkOf(['a:1'], undefined)];
    expect(one.stateFile).toBe(other.stateFile);
    expect(one.id).toHaveLength(20);
    expect(one.id).not.toEqual(other.id);
  });

  it('is kept for each network by itself, and for none on loopback', async () => {
    const files = await Promise.all([
      dhtStateFile(undefined, undefined),
      dhtStateFile(['a:1'], undefined),
      dhtStateFile(['b:2', 'a:1'], '192.0.2.1'),
      dhtStateFile(['a:1', 'b:2'], undefined),
    ]);
    expect(new Set(files).size).toBe(3);
    expect(files[2]).toBe(files[3]);
    expect(await dhtStateFile(undefined, LOCALHOST)).toBeUndefined();
    expect(await dhtStateFile(['a:1'], '::1')).toBeUndefined();
  });

  it('is not written by a run on loopback, which asks nobody', async () => {
    const shared = await share(folder.path, TREE);
    const { code, events } = await pieces(['-t', shared.file, '--dir', shared.dir, '--json']);
    expect(code).toBe(0);
    expect(events.find(({ event }) => event === 'started')).toMatchObject({
      dhtPort: expect.any(Number),
    });
    const state = await readdir(join(folder.path, '.state'), { recursive: true });
    expect(state.filter((name) => name.endsWith('.table'))).toEqual([]);
  });
});

describe('a UDP port that is taken', () => {
  it('is told with what to do', async () => {
    const { port } = await openNode();
    const shared = await share(folder.path, TREE);
    const { code, error } = await pieces(['-t', shared.file, '-p', `${port}`]);
    expect(code).toBe(2);
    expect(error).toBe(
      `pieces: Another program uses UDP port ${port}: name another one with -p, or none for a free one.\n`,
    );
  });
});
