import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DhtError, decodeMessage, KRPC_ERROR, Message, writeResponse } from '@bt/krpc-dht';
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
    expect(code).toBe(5);
    expect(stderr).toContain('No node of the DHT has answered: name others with -d HOST:PORT.\n');
    const late = await publish(folder, 'one.torrent', hub, '--timeout', '0.05');
    expect(late.stderr).toBe('mktorrent: The DHT took too long; wait longer with --timeout.\n');
    expect(late.code).toBe(5);
    const json = await publish(folder, 'one.torrent', hub, '--timeout', '0.05', '--json');
    expect(JSON.parse(json.stdout)).toEqual({
      error: 'The DHT took too long; wait longer with --timeout.',
      exitCode: 5,
    });
  });

  it('tells of a new key that stays when it is interrupted', async () => {
    const folder = makeTempFolder();
    await torrentIn(folder, 'one');
    const said = async () => {
      const abort = new AbortController();
      const stderr = { write: () => abort.abort() };
      const words = ['publish', 'one.torrent', '--key', 'my.key', '--bind', LOCALHOST, '--json'];
      setImmediate(() => abort.abort());
      const { code, stdout } = await mktorrent(folder, words, { stderr, signal: abort.signal });
      return { code, ...JSON.parse(stdout) };
    };
    expect(await said()).toEqual({
      code: 130,
      error: 'Interrupted; nodes may point to the torrent all the same. The new key my.key stays.',
      exitCode: 130,
    });
    expect(existsSync(join(folder, 'my.key'))).toBe(true);
    expect(await said()).toEqual({
      code: 130,
      error: 'Interrupted; nodes may point to the torrent all the same.',
      exitCode: 130,
    });
  });

  it('warns of a node that can not be used', async () => {
    const folder = makeTempFolder();
    await torrentIn(folder, 'one');
    const { code, stderr } = await publish(folder, 'one.torrent', 'nosuch.example:1');
    expect(code).toBe(5);
    expect(stderr).toContain('\nWarning: DHT node nosuch.example:1: not asked from loopback.\n');
  });

  it('says which port is taken, and which address is not its own', async () => {
    const node = await createDht({ bind: LOCALHOST });
    onTestFinished(() => node.close());
    const folder = makeTempFolder();
    await torrentIn(folder, 'one');
    const taken = await publish(folder, 'one.torrent', 'localhost:9', '-p', `${node.port}`);
    expect(taken.code).toBe(2);
    expect(taken.stderr.split('\n').at(-2)).toBe(
      `mktorrent: Another program uses UDP port ${node.port}: name another one with -p, or none for a free one. See mktorrent publish --help.`,
    );
    const words = ['publish', 'one.torrent', '--key', 'my.key', '--bind', '192.0.2.1'];
    const strange = await mktorrent(folder, words);
    expect(strange.code).toBe(2);
    expect(strange.stderr).toContain(
      '192.0.2.1 is no address of this machine: name one of its own with --bind.',
    );
  });

  it('says what to do when somebody has published a higher number meanwhile', async () => {
    const { networkFailure } = await import('../src/publish.ts');
    for (const krpcCode of [KRPC_ERROR.casMismatch, KRPC_ERROR.sequenceTooLow]) {
      const error = new DhtError('krpc-error', 'the nodes refused', { krpcCode });
      expect(networkFailure(error)).toMatchObject({
        exitCode: 5,
        message: 'Something else has been published under this key meanwhile: publish again.',
      });
    }
    const other = new DhtError('krpc-error', 'the nodes refused the item with error 205');
    expect(networkFailure(other)).toMatchObject({
      exitCode: 5,
      message: 'The DHT did not take it: the nodes refused the item with error 205.',
    });
  });

  it('takes --bootstrap for -d, and tells each default once', async () => {
    const { hub } = await network();
    const folder = makeTempFolder();
    await torrentIn(folder, 'one');
    const words = ['publish', 'one.torrent', '--key', 'my.key', '--bind', LOCALHOST];
    expect(await mktorrent(folder, [...words, '--bootstrap', hub])).toMatchObject({ code: 0 });
    const { stdout } = await mktorrent(folder, ['publish', '--help']);
    expect(stdout).toMatch(/-d, --dht <HOST:PORT,\.\.\.>/);
    expect(stdout).toMatch(/the UDP port \(default: a free one\)\n/);
  });

  it('fails when nobody keeps it', async () => {
    // A node that gives no token.
    const socket = createSocket('udp4');
    onTestFinished(() => {
      socket.close();
    });
    const query = new Message();
    socket.on('message', (datagram, { address, port }) => {
      if (decodeMessage(new Uint8Array(datagram), query) !== 'ok') return;
      const buffer = new Uint8Array(1500);
      const end = writeResponse(buffer, 0, { id: new Uint8Array(20) }, query, {});
      socket.send(buffer.subarray(0, end), port, address);
    });
    socket.bind(0, LOCALHOST);
    await once(socket, 'listening');
    const folder = makeTempFolder();
    await torrentIn(folder, 'one');
    const hub = `${LOCALHOST}:${socket.address().port}`;
    const { code, stdout, stderr } = await publish(folder, 'one.torrent', hub);
    expect({ code, stdout }).toEqual({ code: 5, stdout: '' });
    expect(stderr).toContain('The DHT did not take it: no node has kept the item.\n');
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
    expect(stderr).toMatch(/\. See mktorrent publish --help\.\n$/);
  });

  it('is wrong in JSON, too', async () => {
    const { code, stdout } = await mktorrent(makeTempFolder(), ['publish', 'x', '--json']);
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toEqual({
      error: "Required option '--key <KEYFILE>' not specified. See mktorrent publish --help.",
      exitCode: 2,
    });
  });
});
