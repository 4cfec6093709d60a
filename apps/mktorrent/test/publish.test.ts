import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createDht, type DhtNode } from '@bt/krpc-dht/node';
import { parseMagnet, parseMetainfo, toHex } from '@bt/metainfo';
import { createTorrent } from '@bt/metainfo/node';
import { describe, expect, it, onTestFinished } from 'vitest';
import { makeTempFolder, mktorrent } from './harness.ts';

const LOCALHOST = '127.0.0.1';

async function network(): Promise<{ readonly hub: string; readonly asking: DhtNode }> {
  const nodes: DhtNode[] = [];
  for (let i = 0; i < 3; i += 1) {
    const bootstrap = nodes.slice(0, 1).map(({ port }) => `${LOCALHOST}:${port}`);
    const node = await createDht({ bind: LOCALHOST, bootstrap, rateLimit: false });
    onTestFinished(() => node.close());
    nodes.push(node);
  }
  // Items are kept by nodes that have found each other.
  while (nodes.some((node) => node.nodeCount() < 2)) await new Promise(setImmediate);
  const [first, , last] = nodes;
  if (first === undefined || last === undefined) throw new Error('there are three');
  return { hub: `${LOCALHOST}:${first.port}`, asking: last };
}

/** Writes NAME.torrent, and returns its info-hash. */
async function torrentIn(
  folder: string,
  name: string,
  options: { version?: 'v1' | 'v2' | 'hybrid'; isPrivate?: boolean } = {},
): Promise<string> {
  const input = join(folder, name);
  writeFileSync(input, name);
  const { bytes } = await createTorrent({ input, ...options });
  writeFileSync(`${input}.torrent`, bytes);
  return toHex(parseMetainfo(bytes).info.infoHash);
}

function publish(folder: string, torrent: string, hub: string, ...more: string[]) {
  const words = ['publish', torrent, '--key', 'my.key', '-d', hub, '--bind', LOCALHOST, ...more];
  return mktorrent(folder, words);
}

describe('mktorrent publish', () => {
  it('makes a key point to one torrent after the other, under one magnet link', async () => {
    const { hub, asking } = await network();
    const folder = makeTempFolder();
    const [one, two] = [await torrentIn(folder, 'one'), await torrentIn(folder, 'two')];
    const first = await publish(folder, 'one.torrent', hub);
    expect(first).toMatchObject({ code: 0 });
    expect(first.stderr).toMatch(
      /^Made a new key: my.key. .*\none, number 1 under this key: kept by \d nodes.\n$/,
    );
    const { publicKey } = parseMagnet(first.stdout.trim());
    if (publicKey === undefined) throw new Error('the link has no key');
    const pointsTo = async () => {
      const found = await asking.resolveTorrent(publicKey);
      return found && toHex(found.infoHash);
    };
    expect(await pointsTo()).toBe(one);
    const second = await publish(folder, 'two.torrent', hub, '--json');
    expect(JSON.parse(second.stdout)).toMatchObject({
      name: 'two',
      infoHash: two,
      publicKey: toHex(publicKey),
      sequence: '2',
      magnet: first.stdout.trim(),
    });
    expect(await pointsTo()).toBe(two);
  });

  it('takes a salt, for several torrents under one key', async () => {
    const { hub, asking } = await network();
    const folder = makeTempFolder();
    const one = await torrentIn(folder, 'one', { version: 'hybrid' });
    const said = await publish(folder, 'one.torrent', hub, '--salt', 'news');
    expect(said.stdout).toContain('&s=6e657773');
    const { publicKey, salt } = parseMagnet(said.stdout.trim());
    const found = await asking.resolveTorrent(publicKey ?? new Uint8Array(32), { salt });
    expect(found && toHex(found.infoHash)).toBe(one);
  });

  it.each([
    [{ version: 'v2' }, /is of BitTorrent v2 alone/],
    [{ isPrivate: true }, /is private/],
  ] as const)('refuses a torrent that nobody could get so: %j', async (options, sentence) => {
    const folder = makeTempFolder();
    await torrentIn(folder, 'one', options);
    const { code, stdout, stderr } = await publish(folder, 'one.torrent', `${LOCALHOST}:9`);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(sentence);
  });

  it('says that nobody has answered', async () => {
    const silent = await createDht({ bind: LOCALHOST });
    const hub = `${LOCALHOST}:${silent.port}`;
    await silent.close();
    const folder = makeTempFolder();
    await torrentIn(folder, 'one');
    const { code, stderr } = await publish(folder, 'one.torrent', hub);
    expect(code).toBe(1);
    expect(stderr).toContain('No node of the DHT has answered: name others with -d HOST:PORT.\n');
    const late = await publish(folder, 'one.torrent', hub, '--timeout', '0.05');
    expect(late.stderr).toBe('mktorrent: The DHT took too long; wait longer with --timeout.\n');
  });

  it.each([
    [['publish', 'x.torrent'], /Required option '--key <KEYFILE>' not specified/],
    [['publish', 'x.torrent', '--key', 'k', '-d', 'x'], /x is no HOST:PORT/],
    [['publish', 'x.torrent', '--key', 'k', '--bind', 'x'], /IP address/],
    [['publish', 'x.torrent', '--key', 'k', '--salt', ''], /1 to 64 bytes/],
    [['publish', 'x.torrent', '--key', 'k', '--timeout', '0'], /a number above 0/],
    [['publish', 'x.torrent', '--key', 'k', '-p', '70000'], /from 0/],
  ])('%j is wrong', async (words, sentence) => {
    const { code, stderr } = await mktorrent(makeTempFolder(), words);
    expect(code).toBe(2);
    expect(stderr).toMatch(sentence);
  });
});
