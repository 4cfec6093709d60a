// A piece that failed its hash goes to one peer alone (threat P5), which must not hold it for hours (threat P6).

import { describe, expect, it } from 'vitest';
import {
  MAX_OWNER_DOUBLINGS,
  OWNER_GRACE_MS,
  OWNER_PATIENCE,
  UNKNOWN_NEWCOMER_MS,
} from '../src/limits.ts';
import { Ownership } from '../src/ownership.ts';
import { type BareConnection, BareTorrent } from './support/bare-torrent.ts';
import { type Content, makeContent } from './support/content.ts';
import { checkInvariants } from './support/invariants.ts';
import { RemotePeer } from './support/remote-peer.ts';
import { type NodeOptions, type SimNode, SimSwarm } from './support/sim-swarm.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
const SECOND = 1000;

function banned(node: SimNode): string[] {
  return node.events.flatMap((event) => (event.type === 'peer-banned' ? [event.address] : []));
}

interface Drip {
  /** So many right blocks come at once before it begins to drip. */
  readonly quickBlocks?: number;
  readonly intervalMs?: number;
}

/** Sends one wrong block, then one right block in so long, however many are asked for. */
function drip(swarm: SimSwarm, node: SimNode, options: Drip = {}): RemotePeer {
  const { quickBlocks = 0, intervalMs = 29 * SECOND } = options;
  const liar = new RemotePeer(swarm, node).seed();
  const { bytes, info } = swarm.content;
  const waiting: (() => void)[] = [];
  let sent = 0;
  liar.onRequest = (pieceIndex, blockOffset, lengthBytes) => {
    const send = () => {
      if (liar.isClosed) return;
      const start = pieceIndex * info.pieceLength + blockOffset;
      const block = bytes.slice(start, start + lengthBytes);
      if (sent === quickBlocks) block[0]! ^= 0xff;
      sent += 1;
      liar.sendBlock(pieceIndex, blockOffset, block);
    };
    if (sent <= quickBlocks) send();
    else waiting.push(send);
  };
  const next = () => {
    // The newest, which has not timed out.
    waiting.pop()?.();
    if (!liar.isClosed) swarm.clock.after(intervalMs, next);
  };
  next();
  return liar;
}

function swarmOf(content: Content, seed: number, ...honest: readonly NodeOptions[]) {
  const swarm = new SimSwarm(content, { seed });
  const seeds = honest.map((options) =>
    swarm.addNode({ isSeed: true, announces: false, ...options }).start(),
  );
  const leecher = swarm.addNode({ announces: false }).start();
  return { swarm, seeds, leecher };
}

describe('the time of an owner', () => {
  const [owner, other] = [1, 2];

  it('begins when somebody else could have the piece, and is longer the slower that one is', () => {
    const ownership = new Ownership();
    const needMs = 3_000;
    const patienceMs = OWNER_GRACE_MS + OWNER_PATIENCE * needMs;
    expect(ownership.isOver(1_000_000, 0, owner, needMs)).toBe(false);
    expect(ownership.isOver(1_000_000 + patienceMs - 1, 0, owner, needMs)).toBe(false);
    expect(ownership.isOver(1_000_000 + patienceMs, 0, owner, needMs + 1)).toBe(false);
    expect(ownership.isOver(1_000_000 + patienceMs, 0, owner, needMs)).toBe(true);
  });

  it('is a fixed one against a newcomer whose rate is not known', () => {
    const ownership = new Ownership();
    const patienceMs = OWNER_GRACE_MS + OWNER_PATIENCE * UNKNOWN_NEWCOMER_MS;
    ownership.isOver(0, 0, owner, undefined);
    expect(ownership.isOver(patienceMs - 1, 0, owner, undefined)).toBe(false);
    expect(ownership.isOver(patienceMs, 0, owner, undefined)).toBe(true);
  });

  it('begins anew with another owner, but not with the same one', () => {
    const ownership = new Ownership();
    ownership.isOver(0, 0, owner, 0);
    expect(ownership.isOver(OWNER_GRACE_MS - 1, 0, owner, 0)).toBe(false);
    expect(ownership.isOver(OWNER_GRACE_MS, 0, other, 0)).toBe(false);
    expect(ownership.isOver(2 * OWNER_GRACE_MS, 0, other, 0)).toBe(true);
  });

  it('doubles with each change up to a bound, and is short again for a piece that has passed', () => {
    const ownership = new Ownership();
    let now = 0;
    const patienceMs = () => {
      const startMs = now;
      while (!ownership.isOver(now, 0, owner, 0)) now += OWNER_GRACE_MS;
      return now - startMs;
    };
    for (let change = 0; change <= MAX_OWNER_DOUBLINGS; change += 1) {
      expect(patienceMs()).toBe(OWNER_GRACE_MS * 2 ** change);
    }
    expect(patienceMs()).toBe(OWNER_GRACE_MS * 2 ** MAX_OWNER_DOUBLINGS);
    ownership.ended(0);
    expect(patienceMs()).toBe(OWNER_GRACE_MS);
  });
});

describe('a piece that was taken from its owner', () => {
  const content = makeContent(65_536, 65_536);
  const offsets = [0, 16_384, 32_768, 49_152];
  const mismatch = { outcome: 'mismatch', blockHashes: new Uint8Array(4 * 32) } as const;

  /** It has failed, one peer has it alone and drips, and the other one has just taken it over. */
  function takenOver() {
    const bare = new BareTorrent({ content });
    const pair = ['10.0.0.1', '10.0.0.2'].map((address) =>
      bare.connectSeed({ address, port: 6881 }, address),
    );
    const [liar, honest] = pair as [BareConnection, BareConnection];
    bare.receiveBlock(liar, 0, 0, false);
    for (const offset of offsets.slice(1)) bare.receiveBlock(honest, 0, offset);
    bare.torrent.handlePieceSaved(0, 0, mismatch);
    const owner = pair.find((peer) => bare.asked(peer).length > 0)!;
    const other = pair.find((peer) => peer !== owner)!;
    expect(bare.asked(owner)).toHaveLength(4);
    bare.runTo(20_000);
    bare.receiveBlock(owner, 0, 0);
    bare.runTo(29_000);
    expect(bare.asked(other)).toEqual([]);
    bare.runTo(32_000);
    expect(bare.asked(other).map(([, offset]) => offset)).toEqual(offsets);
    expect(bare.asked(owner)).toEqual([]);
    bare.effects();
    const bans = () =>
      bare
        .effects()
        .flatMap((effect) =>
          effect.type === 'event' && effect.event.type === 'peer-banned'
            ? [effect.event.address]
            : [],
        );
    return { bare, owner, other, bans };
  }

  it('takes no late block of the former one, and nobody else is to blame when it fails again', () => {
    const { bare, owner, other, bans } = takenOver();
    const { duplicateBytes } = bare.torrent.stats(bare.now);
    bare.receiveBlock(owner, 0, offsets[1]!, false);
    expect(bare.torrent.stats(bare.now).duplicateBytes).toBe(duplicateBytes + 16_384);
    for (const offset of offsets) bare.receiveBlock(other, 0, offset, false);
    bare.torrent.handlePieceSaved(bare.now, 0, mismatch);
    expect(bans()).toEqual([other.peer.endpoint.address]);
    expect(owner.transport.isClosed).toBe(false);
  });

  it('tells, when it passes, who sent a wrong block the first time', () => {
    const { bare, other, bans } = takenOver();
    for (const offset of offsets) bare.receiveBlock(other, 0, offset);
    const blockHashes = new Uint8Array(4 * 32);
    blockHashes[0] = 1;
    bare.torrent.handlePieceSaved(bare.now, 0, { outcome: 'saved', blockHashes });
    expect(bans()).toEqual(['10.0.0.1']);
    expect(bare.torrent.isDone).toBe(true);
  });

  it('counts what its owner had sent as received twice', () => {
    const { bare } = takenOver();
    expect(bare.torrent.stats(bare.now).duplicateBytes).toBe(16_384);
  });
});

describe.each([1, 2, 3])('with seed %i', (seed) => {
  const finish = (swarm: SimSwarm, leecher: SimNode) => {
    const tookMs = swarm.runUntilDone(10 * 3600 * SECOND, [leecher]) ?? Number.POSITIVE_INFINITY;
    checkInvariants(swarm, `drip, seed ${seed}`);
    return { seconds: tookMs / SECOND, duplicateBytes: leecher.stats.duplicateBytes };
  };

  it.each([256 * KiB, MiB, 4 * MiB])(
    'a liar that drips does not hold up the end, pieces of %i',
    (pieceLength) => {
      const content = makeContent(4 * pieceLength, pieceLength);
      const { swarm, seeds, leecher } = swarmOf(content, seed, { lineUp: 2 * MiB });
      const liar = drip(swarm, leecher);
      leecher.connectTo(...seeds);
      const { seconds, duplicateBytes } = finish(swarm, leecher);
      expect(seconds).toBeLessThan(50);
      expect(duplicateBytes).toBeLessThan(pieceLength);
      expect(banned(leecher)).toEqual([liar.endpoint.address]);
    },
  );

  it('nor do five, among them some that were quick before', () => {
    const content = makeContent(16 * MiB, MiB);
    const { swarm, seeds, leecher } = swarmOf(content, seed, { lineUp: MiB }, { lineUp: MiB });
    const liars = [0, 0, 50, 100, 150].map((quickBlocks) => drip(swarm, leecher, { quickBlocks }));
    leecher.connectTo(...seeds);
    const { seconds, duplicateBytes } = finish(swarm, leecher);
    expect(seconds).toBeLessThan(300);
    expect(duplicateBytes).toBeLessThan(8 * MiB);
    const addresses = new Set(liars.map(({ endpoint }) => endpoint.address));
    for (const address of banned(leecher)) expect(addresses).toContain(address);
  });

  it('one that was quick before does not keep the piece from a slow honest peer for ever', () => {
    const content = makeContent(4 * MiB, MiB);
    const { swarm, seeds, leecher } = swarmOf(content, seed, { lineUp: 40 * KiB });
    drip(swarm, leecher, { quickBlocks: 150 });
    leecher.connectTo(...seeds);
    expect(finish(swarm, leecher).seconds).toBeLessThan(900);
  });

  it('slow honest peers bring a piece to its end that one of them alone has to send', () => {
    const content = makeContent(4 * MiB, MiB);
    const slow = { lineUp: 20 * KiB };
    const { swarm, seeds, leecher } = swarmOf(content, seed, slow, slow, slow);
    drip(swarm, leecher);
    leecher.connectTo(...seeds);
    const { seconds, duplicateBytes } = finish(swarm, leecher);
    expect(seconds).toBeLessThan(600);
    expect(duplicateBytes).toBeLessThan(2 * MiB);
  });

  it('a slow honest peer gives the piece up to a faster one, and is not banned', () => {
    const content = makeContent(8 * MiB, MiB);
    const { swarm, seeds, leecher } = swarmOf(
      content,
      seed,
      { lineUp: 10 * KiB },
      { lineUp: 2 * MiB },
    );
    drip(swarm, leecher);
    leecher.connectTo(...seeds);
    const { seconds, duplicateBytes } = finish(swarm, leecher);
    expect(seconds).toBeLessThan(60);
    expect(duplicateBytes).toBeLessThan(2 * MiB);
  });
});
