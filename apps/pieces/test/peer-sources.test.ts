import { join } from 'node:path';
import { type Metainfo, parseMagnet, parseMetainfo } from '@bt/metainfo';
import { expect, it } from 'vitest';
import { hasPeerSource } from '../src/peer-sources.ts';
import { pieces, seed, share, useTempFolder } from './harness.ts';

const folder = useTempFolder();
const TRACKER = { announceTiers: [['http://tracker.example/announce']] };
const none = {
  peers: [],
  trackers: true,
  localDiscovery: false,
  webSeeds: true,
  bindAddress: undefined,
  bootstrap: undefined,
};

async function torrent(options: Parameters<typeof share>[2] = {}): Promise<Metainfo> {
  return parseMetainfo((await share(folder.path, { a: 100 }, options)).bytes);
}

it('counts trackers, web seeds, named peers, the DHT and the local network, unless they are off', async () => {
  const plain = await torrent();
  expect(hasPeerSource(plain, none, false)).toBe(false);
  expect(hasPeerSource(plain, none, true)).toBe(true);
  expect(hasPeerSource(plain, { ...none, peers: [{ host: 'a', port: 1 }] }, false)).toBe(true);
  const local = { ...none, localDiscovery: true };
  expect(hasPeerSource(plain, local, false)).toBe(true);
  expect(hasPeerSource(plain, { ...local, bindAddress: '127.0.0.1' }, false)).toBe(false);
  const onLoopback = { ...none, bindAddress: '127.0.0.1' };
  expect(hasPeerSource(plain, onLoopback, true)).toBe(false);
  expect(hasPeerSource(plain, { ...onLoopback, bootstrap: ['127.0.0.1:1'] }, true)).toBe(true);
  const tracked = await torrent(TRACKER);
  expect(hasPeerSource(tracked, none, false)).toBe(true);
  expect(hasPeerSource(tracked, { ...none, trackers: false }, false)).toBe(false);
  const web = await torrent({ webSeeds: ['http://web.example/'] });
  expect(hasPeerSource(web, none, false)).toBe(true);
  expect(hasPeerSource(web, { ...none, webSeeds: false }, false)).toBe(false);
});

it('counts neither DHT nor local network for a private torrent', async () => {
  const secret = await torrent({ isPrivate: true });
  expect(hasPeerSource(secret, { ...none, localDiscovery: true }, true)).toBe(false);
});

it("counts a magnet link's peers and trackers", () => {
  const link = `magnet:?xt=urn:btih:${'a'.repeat(40)}`;
  expect(hasPeerSource(parseMagnet(link), none, false)).toBe(false);
  expect(hasPeerSource(parseMagnet(`${link}&x.pe=192.0.2.1:1`), none, false)).toBe(true);
  expect(hasPeerSource(parseMagnet(`${link}&tr=http://t.example/`), none, false)).toBe(true);
  // A web server has files, and no metadata.
  expect(hasPeerSource(parseMagnet(`${link}&ws=http://w.example/`), none, false)).toBe(false);
});

it('is told of a magnet link that names web servers alone', async () => {
  const link = `magnet:?xt=urn:btih:${'a'.repeat(40)}&ws=http://127.0.0.1:1/`;
  const { code, error } = await pieces(['-m', link, '--no-dht', '--timeout', '0.5']);
  expect(code).toBe(5);
  expect(error).toMatch(/^Warning: there is nobody to ask for peers/);
  expect(error).toContain(
    'pieces: Nobody that has the metadata of the magnet link was found for 0.5 s, and a web server has none; try later,',
  );
});

it('is told of a named peer that can not be reached', async () => {
  const link = `magnet:?xt=urn:btih:${'a'.repeat(40)}`;
  const { code, error } = await pieces(['-m', link, '--peer', '127.0.0.1:1', '--timeout', '0.5']);
  expect(code).toBe(5);
  expect(error).toMatch(
    /^Warning: peer 127\.0\.0\.1 port 1 can't be reached: .*ECONNREFUSED.*\.\n/,
  );
  expect(error).toContain('; try later, name another peer with --peer or');
});

it('is told of once when something is missing, and not when all is there', async () => {
  const shared = await share(folder.path, { a: 100 });
  const words = ['-t', shared.file, '--no-dht', '--timeout', '0.01'];
  const alone = await pieces([...words, '--dir', join(folder.path, 'copy')]);
  expect(alone.code).toBe(5);
  expect(alone.error.match(/nobody to ask for peers/g)).toHaveLength(1);
  expect((await pieces([...words, '--dir', shared.dir])).error).toBe('');
  const { peer } = await seed(shared);
  const withPeer = await pieces([...words.slice(0, 3), '--dir', join(folder.path, 'c'), ...peer]);
  expect(withPeer).toMatchObject({ code: 0, error: '' });
});
