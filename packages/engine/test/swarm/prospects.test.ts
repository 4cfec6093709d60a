import { describe, expect, it } from 'vitest';
import { FIRST_BLOCK_MS, TURN_MS } from '../../src/limits.ts';
import { BareTorrent, HAVE_ALL, message, UNCHOKE } from '../support/bare-torrent.ts';

const home = { address: '10.0.0.1', port: 6881 };
const SECOND = 1_000;

function uselessMs(bare: BareTorrent): number {
  return bare.torrent.stats(bare.now).uselessMs;
}

describe('the time of no use', () => {
  it('passes with a peer that lets us ask and sends nothing', () => {
    const bare = new BareTorrent();
    bare.torrent.start(0);
    bare.connectSeed(home, 'silent');
    bare.runTo(2 * SECOND);
    expect(uselessMs(bare)).toBe(0);
    bare.runTo(FIRST_BLOCK_MS + 8 * SECOND);
    expect(uselessMs(bare)).toBeGreaterThanOrEqual(8 * SECOND);
  });

  it('begins anew with every block', () => {
    const bare = new BareTorrent();
    bare.torrent.start(0);
    const seed = bare.connectSeed(home, 'slow');
    bare.runTo(20 * SECOND);
    const [block] = bare.asked(seed);
    bare.receiveBlock(seed, ...block!);
    bare.runTo(21 * SECOND);
    expect(uselessMs(bare)).toBe(0);
    bare.runTo(FIRST_BLOCK_MS + 31 * SECOND);
    expect(uselessMs(bare)).toBeGreaterThanOrEqual(9 * SECOND);
  });

  it('does not pass while we wait for our turn, for three minutes', () => {
    const bare = new BareTorrent();
    bare.torrent.start(0);
    bare.runTo(100 * SECOND);
    const choking = bare.connect(home, 'choking');
    bare.receive(choking, message(HAVE_ALL));
    bare.runTo(100 * SECOND + TURN_MS - SECOND);
    bare.receive(choking, new Uint8Array(4));
    expect(uselessMs(bare)).toBe(0);
    bare.runTo(100 * SECOND + TURN_MS + 8 * SECOND);
    expect(uselessMs(bare)).toBeGreaterThanOrEqual(8 * SECOND - 1);
  });

  it('is not put off by peers that come, or unchoke us, one after the other', () => {
    const bare = new BareTorrent();
    bare.torrent.start(0);
    for (let peer = 0; peer < 50; peer += 1) {
      const next = bare.connect({ address: `10.0.1.${peer}`, port: 6881 }, `peer${peer}`);
      bare.receive(next, message(HAVE_ALL));
      bare.receive(next, message(UNCHOKE));
      bare.receive(next, message(0));
      bare.runTo(bare.now + 10 * SECOND);
    }
    expect(uselessMs(bare)).toBeGreaterThanOrEqual(500 * SECOND - TURN_MS - SECOND);
  });

  it('does not pass while the disk takes nothing', () => {
    const bare = new BareTorrent();
    bare.torrent.start(0);
    bare.connectSeed(home, 'silent');
    Object.defineProperty(bare.disk, 'stalledBy', { value: new Error('full') });
    bare.runTo(100 * SECOND);
    expect(uselessMs(bare)).toBe(0);
  });
});
