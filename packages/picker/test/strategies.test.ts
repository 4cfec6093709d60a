// Each strategy on and off: the outcome differs in the way it promises.
import { describe, expect, test } from 'vitest';
import { Picker } from '../src/index.ts';
import { download, type Outcome, type Plan, range } from './download.ts';
import { createRandom } from './random.ts';

const seeds = [1, 2, 3, 4, 5];

describe('rarest first', () => {
  // 60 pieces; three peers share 59 of them, the 60th is only with a peer that leaves after 30 blocks.
  const rareHolder = (rarestFirst: boolean, seed: number): Outcome =>
    download({
      pieceCount: 60,
      rarestFirst,
      seed,
      endMs: 100_000,
      peers: [
        ...range(0, 3).map(() => ({ blockMs: 10, pieces: range(0, 59) })),
        { blockMs: 10, leavesAtMs: 300 },
      ],
    });

  test.each(seeds)('gets the rare piece before its only holder leaves (seed %i)', (seed) => {
    expect(rareHolder(true, seed).doneMs).toBeLessThan(1000);
  });

  test('without it the piece is lost as often as chance has it', () => {
    const lost = range(0, 20).filter((seed) => rareHolder(false, seed).doneMs === Infinity);
    expect(lost.length).toBeGreaterThan(4);
  });

  test('ties are broken by chance: two downloaders of one seed begin with different pieces', () => {
    const orders = seeds.map((seed) =>
      download({ pieceCount: 200, seed, peers: [{ blockMs: 1 }] })
        .begun.slice(0, 20)
        .join(),
    );
    expect(new Set(orders).size).toBe(seeds.length);
  });

  test('the first four pieces are chosen by chance, then the rarest', () => {
    const rarestFirst = range(0, 40).map((seed) => {
      const { begun } = download({
        pieceCount: 100,
        blocksPerPiece: 1,
        seed,
        queueDepth: 10,
        peers: [{ blockMs: 10 }, { blockMs: Number.POSITIVE_INFINITY, pieces: range(6, 100) }],
      });
      return begun.filter((p) => p < 6).map((p) => begun.indexOf(p));
    });
    // The six rare pieces are hardly ever among the first four, and always the next ones.
    const early = rarestFirst.flat().filter((at) => at < 4);
    expect(early.length).toBeLessThan(25);
    for (const places of rarestFirst) for (const at of places) expect(at).toBeLessThan(30);
  });
});

describe('blocks of begun pieces first', () => {
  test('three peers finish piece after piece', () => {
    let most = 0;
    const picker = new Picker({
      pieceCount: 50,
      blockCount: () => 16,
      random: createRandom(1),
      rarestFirst: true,
      endGame: true,
    });
    const peers = range(0, 3).map(() => picker.addPeer());
    for (const peer of peers) picker.peerHaveAll(peer);
    const asked: [number, number, number][] = [];
    for (let i = 0; i < 600; i += 1) {
      const peer = peers[i % 3]!;
      picker.pick(peer, 1, (p, b) => asked.push([peer, p, b]));
      most = Math.max(most, picker.openPieceCount);
      if (asked.length > 12) {
        const [from, p, b] = asked.shift()!;
        picker.markReceived(from, p, b, () => {});
      }
    }
    expect(most).toBeLessThanOrEqual(3);
  });

  test('of several begun pieces the one nearest its end', () => {
    const picker = createPicker({ pieceCount: 4, blocksPerPiece: 8 });
    for (const [p, blocks] of [1, 6, 3, 2].entries()) {
      for (let b = 0; b < blocks; b += 1) picker.markBlockHave(p, b);
    }
    const seed = picker.addPeer();
    picker.peerHaveAll(seed);
    expect(pieces(picker, seed, 2)).toEqual([1, 1]);
    expect(pieces(picker, seed, 5)).toEqual([2, 2, 2, 2, 2]);
  });

  test('no more pieces are begun than the limit, except for a peer with nothing else to do', () => {
    const picker = createPicker({ pieceCount: 20, blocksPerPiece: 2, maxOpenPieces: 3 });
    const [a, b] = [picker.addPeer(), picker.addPeer()];
    picker.peerHaveAll(a);
    for (const p of range(10, 20)) picker.peerHave(b, p);
    expect(picker.pick(a, 100, () => {})).toBe(6);
    expect(picker.openPieceCount).toBe(3);
    expect(picker.pick(b, 100, () => {})).toBe(2);
    expect(picker.openPieceCount).toBe(4);
  });
});

describe('end game', () => {
  const slowLast = (endGame: boolean): Outcome =>
    download({
      pieceCount: 30,
      endGame,
      queueDepth: 8,
      peers: [{ blockMs: 10 }, { blockMs: 10 }, { blockMs: 5000 }],
    });

  test('does not wait for a slow last peer', () => {
    expect(slowLast(false).doneMs).toBeGreaterThanOrEqual(20_000);
    expect(slowLast(true).doneMs).toBeLessThan(2000);
  });

  test('cancels what has come from another peer, so that little comes twice', () => {
    const { picker } = slowLast(true);
    const { cancelledBlocks, duplicateBlocks, receivedBlocks } = picker.statistics;
    expect(receivedBlocks).toBe(120);
    expect(duplicateBlocks).toBe(0);
    expect(cancelledBlocks).toBeGreaterThanOrEqual(8);
  });

  test('asks every peer that has it for the last block, each once', () => {
    const picker = createPicker({ pieceCount: 1, blocksPerPiece: 1 });
    const peers = range(0, 5).map(() => picker.addPeer());
    for (const peer of peers.slice(0, 4)) picker.peerHaveAll(peer);
    for (const peer of peers) picker.pick(peer, 5, () => {});
    for (const peer of peers) picker.pick(peer, 5, () => {});
    expect(peers.map((peer) => picker.outstanding(peer))).toEqual([1, 1, 1, 1, 0]);
    const cancelled: number[] = [];
    picker.markReceived(peers[2]!, 0, 0, (peer) => cancelled.push(peer));
    expect(cancelled.sort()).toEqual([peers[0], peers[1], peers[3]]);
  });

  test('begins when every missing block was asked for, not before', () => {
    const picker = createPicker({ pieceCount: 2, blocksPerPiece: 2 });
    const [a, b] = [picker.addPeer(), picker.addPeer()];
    picker.peerHaveAll(a);
    for (const p of [0, 1]) picker.peerHave(b, p);
    picker.pick(a, 3, () => {});
    expect(picker.inEndGame).toBe(false);
    expect(picker.pick(b, 1, () => {})).toBe(1);
    expect(picker.inEndGame).toBe(true);
    expect(picker.pick(b, 4, () => {})).toBe(3);
  });

  test('is not put off by pieces that nobody has', () => {
    const picker = createPicker({ pieceCount: 3, blocksPerPiece: 2 });
    const [a, b] = [picker.addPeer(), picker.addPeer()];
    for (const peer of [a, b]) for (const p of [0, 1]) picker.peerHave(peer, p);
    picker.pick(a, 4, () => {});
    expect(picker.inEndGame).toBe(true);
    expect(picker.pick(b, 4, () => {})).toBe(4);
  });

  test('peers ask for different blocks, those asked of the fewest peers first', () => {
    const picker = createPicker({ pieceCount: 20, blocksPerPiece: 5 });
    const slow = picker.addPeer();
    picker.peerHaveAll(slow);
    picker.pick(slow, 100, () => {});
    const times = new Map<string, number>();
    for (let i = 0; i < 40; i += 1) {
      const peer = picker.addPeer();
      picker.peerHaveAll(peer);
      picker.pick(peer, 5, (p, b) => times.set(`${p}:${b}`, (times.get(`${p}:${b}`) ?? 0) + 1));
    }
    // 200 requests over 100 blocks: every block twice.
    expect(times.size).toBe(100);
    expect(new Set(times.values())).toEqual(new Set([2]));
  });

  test('downloaders ask for different blocks', () => {
    const firsts = range(0, 20).map((seed) => {
      const picker = createPicker({ pieceCount: 50, blocksPerPiece: 1, seed });
      const [a, b] = [picker.addPeer(), picker.addPeer()];
      for (const peer of [a, b]) picker.peerHaveAll(peer);
      picker.setSequential(true); // so that all of them have asked in the same order
      picker.pick(a, 50, () => {});
      return pieces(picker, b, 1)[0];
    });
    expect(new Set(firsts).size).toBeGreaterThan(10);
  });

  test('goes on beside a piece that is left to one peer', () => {
    const picker = createPicker({ pieceCount: 2, blocksPerPiece: 4 });
    const [a, suspect, b] = [picker.addPeer(), picker.addPeer(), picker.addPeer()];
    for (const peer of [a, suspect, b]) picker.peerHaveAll(peer);
    picker.pick(suspect, 1, () => {}, { parole: true });
    picker.pick(a, 4, () => {});
    expect(picker.inEndGame).toBe(true);
    expect(picker.pick(b, 9, () => {})).toBe(4);
  });

  test('a peer holds no more duplicates than the bound', () => {
    const picker = createPicker({ pieceCount: 20, blocksPerPiece: 5, maxDuplicatesPerPeer: 7 });
    const [a, b] = [picker.addPeer(), picker.addPeer()];
    for (const peer of [a, b]) picker.peerHaveAll(peer);
    picker.pick(a, 100, () => {});
    expect(picker.pick(b, 100, () => {})).toBe(7);
    expect(picker.pick(b, 100, () => {})).toBe(0);
  });
});

describe('bbs-plus', () => {
  const race = (bbsPlus: boolean): Outcome =>
    download({
      pieceCount: 40,
      bbsPlus,
      queueDepth: 4,
      peers: [{ blockMs: 10 }, { blockMs: 10 }, { blockMs: 10 }, { blockMs: 900 }],
    });

  test('gets its first piece sooner, at the price of blocks asked for twice', () => {
    const [plain, plus] = [race(false), race(true)];
    const first = ({ pieceMs }: Outcome): number => Math.min(...pieceMs);
    const slowest = ({ pieceMs, begun }: Outcome): number =>
      Math.max(...begun.slice(0, 4).map((p) => pieceMs[p]!));
    expect(first(plus)).toBeLessThanOrEqual(first(plain));
    expect(slowest(plus)).toBeLessThan(slowest(plain) / 3);
    expect(plus.picker.statistics.requestedBlocks).toBeGreaterThan(200);
    expect(plain.picker.statistics.requestedBlocks).toBeLessThan(180);
  });
});

describe('sequential', () => {
  test('pieces come in the order of their index', () => {
    const { begun } = download({
      pieceCount: 50,
      sequential: true,
      peers: [{ blockMs: 10 }, { blockMs: 13 }],
    });
    expect(begun).toEqual(range(0, 50));
  });
});

describe('priorities', () => {
  test('higher ones first, whatever their availability', () => {
    const { begun } = download({
      pieceCount: 30,
      peers: [{ blockMs: 10 }, { blockMs: Number.POSITIVE_INFINITY, pieces: [3, 4, 5] }],
      prepare: (picker) => {
        for (const p of [3, 4, 5]) picker.setPiecePriority(p, 6);
        for (const p of [20, 21]) picker.setPiecePriority(p, 1);
      },
    });
    expect(begun.slice(0, 3).sort()).toEqual([3, 4, 5]);
    expect(begun.slice(-2).sort()).toEqual([20, 21]);
  });

  test('0 is not downloaded, and what was asked for of it still counts when it comes', () => {
    const picker = createPicker({ pieceCount: 2, blocksPerPiece: 2 });
    const peer = picker.addPeer();
    picker.peerHaveAll(peer);
    const asked: [number, number][] = [];
    picker.pick(peer, 1, (p, b) => asked.push([p, b]));
    picker.setPiecePriority(0, 0);
    picker.setPiecePriority(1, 0);
    expect(picker.isInteresting(peer)).toBe(false);
    expect(picker.pick(peer, 5, () => {})).toBe(0);
    const [[p, b]] = asked as [[number, number]];
    expect(picker.markReceived(peer, p, b, () => {})).toBe('accepted');
    picker.setPiecePriority(p, 4);
    expect(pieces(picker, peer, 5)).toEqual([p]);
  });

  test('7 comes before begun pieces, in the order of the index: a reader’s window', () => {
    const picker = createPicker({ pieceCount: 40, blocksPerPiece: 4 });
    const peer = picker.addPeer();
    picker.peerHaveAll(peer);
    picker.pick(peer, 2, () => {});
    for (const p of [12, 10, 11]) picker.setPiecePriority(p, 7);
    expect(pieces(picker, peer, 12)).toEqual([10, 10, 10, 10, 11, 11, 11, 11, 12, 12, 12, 12]);
  });

  test('a reader who waits has urgent blocks asked of a second peer', () => {
    const picker = createPicker({ pieceCount: 40, blocksPerPiece: 4 });
    const [a, b] = [picker.addPeer(), picker.addPeer()];
    for (const peer of [a, b]) picker.peerHaveAll(peer);
    picker.setPiecePriority(30, 7);
    expect(pieces(picker, a, 4)).toEqual([30, 30, 30, 30]);
    for (const p of range(0, 40)) if (p !== 30) picker.setPiecePriority(p, 0);
    expect(pieces(picker, b, 2)).toEqual([30, 30]); // the end game, since nothing else is wanted
    for (const p of range(0, 40)) if (p !== 30) picker.setPiecePriority(p, 4);
    const c = picker.addPeer();
    picker.peerHaveAll(c);
    expect(pieces(picker, c, 1, { duplicateUrgent: false })).not.toEqual([30]);
    const before = picker.outstanding(c);
    for (const p of range(0, 40)) if (p !== 30) picker.markHave(p);
    expect(picker.outstanding(c)).toBeLessThanOrEqual(before);
    expect(pieces(picker, c, 4, { duplicateUrgent: true })).toEqual([30, 30, 30, 30]);
  });
});

function createPicker(plan: Omit<Plan, 'peers'>): Picker {
  const { blocksPerPiece = 4 } = plan;
  return new Picker({
    blockCount: () => blocksPerPiece,
    random: createRandom(plan.seed ?? 1),
    rarestFirst: true,
    endGame: true,
    ...plan,
  });
}

function pieces(
  picker: Picker,
  peer: number,
  count: number,
  options?: Parameters<Picker['pick']>[3],
): number[] {
  const chosen: number[] = [];
  picker.pick(peer, count, (p) => chosen.push(p), options);
  return chosen;
}
