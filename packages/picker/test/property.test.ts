import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Picker, type PickerOptions } from '../src/index.ts';
import { assertInvariants } from '../src/invariants.ts';
import {
  askers,
  availability,
  blocks,
  createModel,
  freeBlocks,
  inEndGame,
  isFresh,
  isInteresting,
  isMissing,
  isWanted,
  key,
  type Model,
} from './model.ts';
import { createRandom } from './random.ts';

type Settings = Pick<PickerOptions, 'rarestFirst' | 'endGame' | 'bbsPlus' | 'sequential'>;

const settings: fc.Arbitrary<Settings> = fc.record({
  rarestFirst: fc.boolean(),
  endGame: fc.boolean(),
  bbsPlus: fc.boolean(),
  sequential: fc.boolean(),
});

const operations = [
  ...['join', 'join', 'leave', 'have', 'have', 'have', 'bitfield', 'all', 'none'],
  ...['pick', 'pick', 'pick', 'pick', 'pick', 'pick', 'receive', 'receive', 'receive', 'receive'],
  ...['receive', 'receive', 'release', 'release', 'releaseAll', 'pass', 'pass', 'pass'],
  ...['priority', 'markHave', 'markBlock', 'lose', 'forget', 'allow', 'hurried', 'choked'],
  ...['piece', 'piece'],
];

/** Operations after which a begun piece may be left to one peer alone. */
const suspicions = ['fail', 'fail', 'parole', 'parole', 'slow', 'slow', 'anything', 'lonePiece'];

/** One step: which operation, and numbers that its arguments are derived from. */
const steps = (names: readonly string[]) =>
  fc.array(
    fc.record({ op: fc.constantFrom(...names), a: fc.nat(1_000_000), b: fc.nat(1_000_000) }),
    { minLength: 20, maxLength: 250 },
  );

describe('random operations', () => {
  for (const pieceCount of [1, 7, 33, 130]) {
    const numRuns = pieceCount > 100 ? 15 : 60;
    test(`keep every invariant and each strategy's promise, ${pieceCount} pieces`, () => {
      fc.assert(
        fc.property(settings, fc.integer(), steps(operations), (strategy, seed, list) => {
          play(pieceCount, strategy, seed, list, true);
        }),
        { numRuns },
      );
    });

    test(`keep every invariant also with suspects and slow peers, ${pieceCount} pieces`, () => {
      const names = [...operations, ...suspicions];
      fc.assert(
        fc.property(settings, fc.integer(), steps(names), (strategy, seed, list) => {
          play(pieceCount, strategy, seed, list, false);
        }),
        { numRuns },
      );
    });
  }
});

/** `plain`: no piece is left to one peer alone, so that what must be picked is known exactly. */
function play(
  pieceCount: number,
  strategy: Settings,
  seed: number,
  list: readonly { op: string; a: number; b: number }[],
  plain: boolean,
): void {
  const run = createRun(pieceCount, strategy, seed, plain);
  for (const { op, a, b } of list) {
    run.perform(op, a, b);
    assertInvariants(run.picker);
    run.compare();
  }
}

function createRun(pieceCount: number, strategy: Settings, seed: number, plain: boolean) {
  const padded = seed % 2 !== 0;
  const random = createRandom(seed);
  const blockCounts = Array.from({ length: pieceCount }, (_, p) =>
    p === pieceCount - 1 ? 1 : 1 + (p % 5),
  );
  // In every third piece some blocks are padding, before, among or behind the others.
  const isPadding = (p: number, b: number): boolean =>
    padded && p % 3 === 1 && b !== p % blockCounts[p]! && (b + p) % 2 === 0;
  const model = createModel(blockCounts, isPadding);
  const forget = (p: number): void => {
    model.received[p]!.clear();
    for (const b of blocks(model, p)) {
      for (const { asked } of model.peers.values()) asked.delete(key(p, b));
    }
  };
  const takeOver = (p: number, owner: number, newcomer: number): boolean => {
    expect(owner).not.toBe(newcomer);
    expect(model.peers.has(owner) && isWanted(model, p)).toBe(true);
    expect(model.peers.get(newcomer)!.pieces.has(p)).toBe(true);
    if (random() < 0.5) return false;
    forget(p);
    return true;
  };
  const picker = new Picker({
    pieceCount,
    blockCount: (p) => blockCounts[p]!,
    ...(padded ? { isPadding } : {}),
    ...(plain ? {} : { takeOver }),
    random,
    randomFirstPieces: 0,
    ...strategy,
  });
  const peerAt = (n: number): number => [...model.peers.keys()][n % model.peers.size]!;
  const receive = (peer: number, p: number, b: number): void => {
    const others = new Set(askers(model, p, b).filter((other) => other !== peer));
    const missing = isMissing(model, p) && !model.received[p]!.has(b) && !isPadding(p, b);
    const cancelled: number[] = [];
    const outcome = picker.markReceived(peer, p, b, (other, cp, cb) => {
      expect([cp, cb]).toEqual([p, b]);
      cancelled.push(other);
    });
    expect(outcome).toBe(missing ? 'accepted' : 'duplicate');
    expect(new Set(cancelled)).toEqual(missing ? others : new Set());
    expect(cancelled.length).toBe(missing ? others.size : 0);
    if (!missing) return;
    model.received[p]!.add(b);
    for (const { asked } of model.peers.values()) asked.delete(key(p, b));
  };

  const perform = (op: string, a: number, b: number): void => {
    if (op === 'join' && model.peers.size < 20) {
      model.peers.set(picker.addPeer(), {
        pieces: new Set(),
        asked: new Set(),
        allowed: new Set(),
      });
      return;
    }
    if (model.peers.size === 0) return;
    const peer = peerAt(a);
    const told = model.peers.get(peer)!;
    const p = b % pieceCount;
    const block = (b >>> 8) % blockCounts[p]!;
    switch (op) {
      case 'leave':
        picker.removePeer(peer);
        model.peers.delete(peer);
        break;
      case 'have':
        picker.peerHave(peer, p);
        told.pieces.add(p);
        break;
      case 'bitfield': {
        const share = (b % 11) / 10;
        const bytes = new Uint8Array((pieceCount + 7) >>> 3);
        told.pieces.clear();
        for (let i = 0; i < pieceCount; i += 1) {
          if (random() >= share) continue;
          bytes[i >>> 3]! |= 0x80 >>> (i & 7);
          told.pieces.add(i);
        }
        picker.peerBitfield(peer, bytes);
        break;
      }
      case 'all':
        picker.peerHaveAll(peer);
        for (let i = 0; i < pieceCount; i += 1) told.pieces.add(i);
        break;
      case 'none':
        picker.peerHaveNone(peer);
        told.pieces.clear();
        break;
      case 'pick':
        checkPick(model, picker, strategy, peer, 1 + (b % 9), plain);
        break;
      case 'hurried':
      case 'choked':
      case 'parole':
      case 'slow':
      case 'anything': {
        const count = 1 + (b % 9);
        const options = {
          allowedFastOnly: op === 'choked' || (op === 'anything' && (b & 16) !== 0),
          parole: op === 'parole' || (op === 'anything' && (b & 32) !== 0),
          slow: op === 'slow' || (op === 'anything' && (b & 64) !== 0),
          duplicateUrgent: op === 'hurried' || (op === 'anything' && (b & 128) !== 0),
        };
        let chosen = 0;
        const total = picker.pick(
          peer,
          count,
          (i, j) => {
            checkChoice(model, peer, i, j);
            if (options.allowedFastOnly) expect(told.allowed.has(i)).toBe(true);
            told.asked.add(key(i, j));
            chosen += 1;
          },
          options,
        );
        expect(total).toBe(chosen);
        expect(chosen).toBeLessThanOrEqual(count);
        break;
      }
      case 'piece':
      case 'lonePiece': {
        const parole = op === 'lonePiece';
        const isFree = (j: number) =>
          !model.received[p]!.has(j) && askers(model, p, j).length === 0;
        const free = blocks(model, p).filter(isFree);
        const isAskable = told.pieces.has(p) && isWanted(model, p);
        const chosen: number[] = [];
        const ask = (i: number, j: number) => {
          checkChoice(model, peer, i, j);
          expect(i).toBe(p);
          told.asked.add(key(i, j));
          chosen.push(j);
        };
        const total = picker.pickPiece(peer, p, ask, { parole });
        expect(total).toBe(chosen.length);
        const isLeftOut = !plain && chosen.length === 0;
        if (!isLeftOut) expect(chosen).toEqual(isAskable ? free : []);
        break;
      }
      case 'receive': {
        const wish = [...told.asked][b % Math.max(1, told.asked.size)];
        const [i, j] = wish === undefined ? [p, block] : wish.split(':').map(Number);
        receive(peer, i!, j!);
        break;
      }
      case 'release': {
        const wish = [...told.asked][b % Math.max(1, told.asked.size)];
        const [i, j] = wish === undefined ? [p, block] : wish.split(':').map(Number);
        picker.releaseRequest(peer, i!, j!);
        told.asked.delete(key(i!, j!));
        break;
      }
      case 'releaseAll':
        picker.releaseAll(peer);
        told.asked.clear();
        break;
      case 'fail':
      case 'pass': {
        const full = blockCounts.findIndex(
          (_, i) => isMissing(model, i) && model.received[i]!.size === blocks(model, i).length,
        );
        if (full < 0) break;
        expect(picker.isFull(full)).toBe(true);
        if (op === 'fail') picker.pieceFailed(full);
        else {
          picker.piecePassed(full);
          model.have.add(full);
        }
        forget(full);
        break;
      }
      case 'priority':
        picker.setPiecePriority(p, a % 8);
        model.priorities[p] = a % 8;
        break;
      case 'markHave':
        if (b % 4 > 0) break;
        picker.markHave(p);
        model.have.add(p);
        forget(p);
        break;
      case 'markBlock':
        picker.markBlockHave(p, block);
        if (!isMissing(model, p) || isPadding(p, block)) break;
        model.received[p]!.add(block);
        for (const { asked } of model.peers.values()) asked.delete(key(p, block));
        break;
      case 'lose':
        picker.loseHave(p);
        model.have.delete(p);
        break;
      case 'forget':
        picker.forgetPiece(p);
        forget(p);
        break;
      case 'allow':
        picker.peerAllowedFast(peer, p);
        if (told.allowed.size < 64) told.allowed.add(p);
        break;
    }
  };

  const compare = (): void => {
    const missing = blockCounts.filter((_, p) => isMissing(model, p)).length;
    expect(picker.missingCount).toBe(missing);
    expect(picker.isComplete).toBe(missing === 0);
    expect(picker.wantedMissing).toBe(blockCounts.filter((_, p) => isWanted(model, p)).length);
    if (plain) expect(picker.inEndGame).toBe(inEndGame(model));
    expect(picker.firstUrgent).toBe(firstUrgent(model));
    for (let p = 0; p < pieceCount; p += 1) expect(picker.isFresh(p)).toBe(isFresh(model, p));
    for (const [peer, { asked, pieces }] of model.peers) {
      expect(picker.isInteresting(peer)).toBe(isInteresting(model, peer));
      expect(picker.outstanding(peer)).toBe(asked.size);
      expect(picker.peerPieceCount(peer)).toBe(pieces.size);
    }
  };
  return { picker, perform, compare };
}

/** The first urgent piece with a block that has not come and is asked of nobody. */
function firstUrgent(model: Model): number | undefined {
  for (let p = 0; p < model.pieceCount; p += 1) {
    if (!isWanted(model, p) || model.priorities[p] !== 7) continue;
    const isFree = (b: number) => !model.received[p]!.has(b) && askers(model, p, b).length === 0;
    if (blocks(model, p).some(isFree)) return p;
  }
  return undefined;
}

/** What holds for any choice: wanted, the peer's, not there, not asked of this peer. */
function checkChoice(model: Model, peer: number, p: number, b: number): void {
  const told = model.peers.get(peer)!;
  expect(told.pieces.has(p)).toBe(true);
  expect(isWanted(model, p)).toBe(true);
  expect(model.received[p]!.has(b)).toBe(false);
  expect(model.isPadding(p, b)).toBe(false);
  expect(told.asked.has(key(p, b))).toBe(false);
}

/** Picks without options, and holds each choice against the strategy. */
function checkPick(
  model: Model,
  picker: Picker,
  strategy: Settings,
  peer: number,
  count: number,
  plain: boolean,
): void {
  const told = model.peers.get(peer)!;
  const urgent = (p: number): boolean => model.priorities[p] === 7;
  let picked = 0;
  const total = picker.pick(peer, count, (p, b) => {
    checkChoice(model, peer, p, b);
    const free = freeBlocks(model, peer).map(([i]) => i);
    if (askers(model, p, b).length > 0) {
      expect(strategy.bbsPlus || (strategy.endGame && (inEndGame(model) || !plain))).toBe(true);
      if (!strategy.bbsPlus && plain) expect(free).toEqual([]);
    } else if (plain) {
      if (free.some(urgent)) expect(p).toBe(Math.min(...free.filter(urgent)));
      else checkOrder(model, strategy, peer, p, free);
    }
    told.asked.add(key(p, b));
    picked += 1;
  });
  expect(total).toBe(picked);
  expect(picked).toBeLessThanOrEqual(count);
  if (picked === count || !plain) return;
  expect(freeBlocks(model, peer)).toEqual([]);
  const racing = strategy.bbsPlus || (strategy.endGame && inEndGame(model));
  if (racing && picked < count) expect(raceable(model, peer)).toEqual([]);
}

/** A free block of a piece that is not urgent was chosen: begun pieces come first, else the strategy decides. */
function checkOrder(
  model: Model,
  strategy: Settings,
  peer: number,
  chosen: number,
  free: readonly number[],
): void {
  const begun = free.filter((p) => !isFresh(model, p));
  const fresh = [...model.peers.get(peer)!.pieces].filter((p) => isFresh(model, p));
  const highest = Math.max(...fresh.map((p) => model.priorities[p]!));
  const best = fresh.filter((p) => model.priorities[p] === highest);
  if (strategy.sequential) {
    const all = [...begun, ...fresh];
    const top = Math.max(...all.map((p) => model.priorities[p]!));
    expect(chosen).toBe(Math.min(...all.filter((p) => model.priorities[p] === top)));
    return;
  }
  if (begun.includes(chosen)) return;
  if (begun.length > 0) {
    // A begun piece is left aside only for one that half as many peers have, or fewer.
    expect(strategy.rarestFirst).toBe(true);
    const commonest = Math.max(...begun.map((p) => availability(model, p)));
    expect(availability(model, chosen) * 2).toBeLessThanOrEqual(commonest);
  }
  expect(model.priorities[chosen]).toBe(highest);
  if (!strategy.rarestFirst) return;
  const rarest = Math.min(...best.map((p) => availability(model, p)));
  expect(availability(model, chosen)).toBe(rarest);
}

/** Missing blocks of the peer's that others were asked for and it was not. */
function raceable(model: Model, peer: number): string[] {
  const told = model.peers.get(peer)!;
  return [...told.pieces]
    .filter((p) => isWanted(model, p))
    .flatMap((p) => blocks(model, p).map((b) => [p, b] as const))
    .filter(([p, b]) => askers(model, p, b).length > 0 && !told.asked.has(key(p, b)))
    .map(([p, b]) => key(p, b));
}
