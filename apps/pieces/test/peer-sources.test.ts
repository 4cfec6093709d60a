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
