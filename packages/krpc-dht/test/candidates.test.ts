import { createRandom } from '@bt/simulator';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CANDIDATE, CANDIDATE_KIND, Candidates } from '../src/candidates.ts';
import { MAX_CANDIDATES } from '../src/constants.ts';
import { compareDistance, randomId } from '../src/node-id.ts';
import { id } from './bytes.ts';

const TARGET = id(0);

function node(first: number, address: readonly number[], port = 6881, last = 0): Uint8Array {
  const bytes = new Uint8Array(26);
  bytes[0] = first;
  bytes[19] = last;
  bytes.set(address, 20);
  bytes[24] = port >> 8;
  bytes[25] = port & 0xff;
  return bytes;
}

function inOrder(candidates: Candidates): Uint8Array[] {
  return Array.from({ length: candidates.count }, (_, place) =>
    candidates.copyNode(candidates.slotAt(place)),
  );
}

it('keeps nodes by their distance from the target, each once', () => {
  const candidates = new Candidates(4, TARGET);
  const nodes = [5, 1, 9, 3].map((first) => node(first, [10, 0, 0, first]));
  for (const each of nodes) expect(candidates.add(each, 0, 1, 1)).toBeGreaterThanOrEqual(0);
  for (const each of nodes) expect(candidates.add(each, 0, 2, 1)).toBe(-1);
  expect(inOrder(candidates).map((each) => each[0])).toEqual([1, 3, 5, 9]);
  const slot = candidates.find(nodes[2]!);
  expect(candidates.copyNode(slot)).toEqual(nodes[2]);
  expect([candidates.state(slot), candidates.depth(slot), candidates.kind(slot)]).toEqual([
    CANDIDATE.fresh,
    1,
    CANDIDATE_KIND.node,
  ]);
  expect(candidates.find(node(9, [10, 0, 0, 8]))).toBe(-1);
});

describe('of one public /24', () => {
  const far = node(9, [192, 0, 2, 1]);
  const near = node(3, [192, 0, 2, 200], 1);

  it('a teller names one', () => {
    const candidates = new Candidates(4, TARGET);
    candidates.add(far, 0, 1, 1);
    expect(candidates.add(near, 0, 1, 1)).toBe(-1);
    expect(candidates.add(near, 0, 1, 2)).toBeGreaterThanOrEqual(0);
    expect(inOrder(candidates)).toEqual([near, far]);
  });

  it('nobody is kept out by one that has not answered', () => {
    for (const state of [CANDIDATE.fresh, CANDIDATE.asked, CANDIDATE.slow, CANDIDATE.failed]) {
      const candidates = new Candidates(4, TARGET);
      candidates.setState(candidates.add(near, 0, 1, 1), state);
      expect(candidates.add(far, 0, 1, 2)).toBeGreaterThanOrEqual(0);
      expect(candidates.find(near)).toBeGreaterThanOrEqual(0);
    }
  });

  it('the first that answers counts, and nobody else any more', () => {
    const candidates = new Candidates(4, TARGET);
    const slots = [near, far].map((each, i) => candidates.add(each, 0, 1, i));
    for (const slot of slots) candidates.setState(slot, CANDIDATE.asked);
    expect(candidates.handleAnswer(slots[1]!, far, 0)).toBe(true);
    expect(candidates.handleAnswer(slots[0]!, near, 0)).toBe(false);
    expect(slots.map((slot) => candidates.state(slot))).toEqual([
      CANDIDATE.failed,
      CANDIDATE.answered,
    ]);
    expect(candidates.add(node(1, [192, 0, 2, 7]), 0, 1, 3)).toBe(-1);
  });
});

it('nobody is kept out by another that is said to have his id', () => {
  const candidates = new Candidates(4, TARGET);
  const fake = candidates.add(node(3, [203, 0, 113, 1]), 0, 1, 1);
  candidates.setState(fake, CANDIDATE.asked);
  const real = node(3, [192, 0, 2, 1]);
  const slot = candidates.add(real, 0, 1, 2);
  expect(slot).toBeGreaterThanOrEqual(0);
  expect(candidates.find(real)).toBe(slot);
  expect(candidates.handleAnswer(slot, real, 0)).toBe(true);
  expect(candidates.add(node(3, [198, 51, 100, 1]), 0, 1, 3)).toBe(-1);
});

it('among addresses that are not public, an endpoint has one place and a network many', () => {
  const candidates = new Candidates(4, TARGET);
  expect(candidates.add(node(5, [127, 0, 0, 1], 1), 0, 1, 1)).toBeGreaterThanOrEqual(0);
  expect(candidates.add(node(6, [127, 0, 0, 1], 2), 0, 1, 1)).toBeGreaterThanOrEqual(0);
  expect(candidates.add(node(7, [127, 0, 0, 1], 2), 0, 1, 1)).toBe(-1);
  expect(candidates.add(node(4, [127, 0, 0, 1], 2), 0, 1, 1)).toBeGreaterThanOrEqual(0);
  expect(inOrder(candidates).map((each) => each[0])).toEqual([4, 5]);
});

it('an IPv6 /64 has one place', () => {
  const candidates = new Candidates(6, TARGET);
  const ipv6 = (first: number, subnet: number, host: number) => {
    const bytes = new Uint8Array(38);
    bytes[0] = first;
    bytes.set([0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, subnet], 20);
    bytes.set([host, 0x1a, 0xe1], 35);
    return bytes;
  };
  expect(candidates.add(ipv6(5, 1, 1), 0, 1, 1)).toBeGreaterThanOrEqual(0);
  expect(candidates.add(ipv6(6, 1, 2), 0, 1, 1)).toBe(-1);
  expect(candidates.add(ipv6(6, 2, 2), 0, 1, 1)).toBeGreaterThanOrEqual(0);
});

it('is bounded: when full a nearer one takes the place of the farthest nobody waits for', () => {
  const candidates = new Candidates(4, TARGET);
  const at = (i: number) => node(2 + (i >> 8), [10, 0, i >> 8, i & 0xff], 6881, i & 0xff);
  for (let i = 0; i < MAX_CANDIDATES; i++) candidates.add(at(i), 0, 1, 1);
  expect(candidates.count).toBe(MAX_CANDIDATES);
  expect(candidates.add(node(200, [10, 9, 9, 9]), 0, 1, 1)).toBe(-1);
  const farthest = candidates.slotAt(MAX_CANDIDATES - 1);
  candidates.setState(farthest, CANDIDATE.asked);
  const kept = candidates.copyNode(farthest);
  const dropped = candidates.copyNode(candidates.slotAt(MAX_CANDIDATES - 2));
  expect(candidates.add(node(1, [10, 9, 9, 8]), 0, 1, 1)).toBeGreaterThanOrEqual(0);
  expect(candidates.count).toBe(MAX_CANDIDATES);
  expect(candidates.find(kept)).toBe(farthest);
  expect(candidates.find(dropped)).toBe(-1);
});

it('a candidate that answers with another id is filed under that one', () => {
  const candidates = new Candidates(4, TARGET);
  const slot = candidates.add(node(1, [10, 0, 0, 1]), 0, 3, 1);
  const other = candidates.add(node(4, [10, 0, 0, 2]), 0, 1, 1);
  expect(candidates.handleAnswer(slot, id(9), 0)).toBe(true);
  expect(inOrder(candidates).map((each) => each[0])).toEqual([4, 9]);
  expect([candidates.depth(slot), candidates.state(slot)]).toEqual([3, CANDIDATE.answered]);
  // Somebody with that id has answered already: one of both lies.
  expect(candidates.handleAnswer(other, id(9), 0)).toBe(false);
  expect(candidates.state(other)).toBe(CANDIDATE.failed);
});

it('the order is always that of the distances', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 400 }), (seed, count) => {
      const random = createRandom(seed);
      const target = randomId(random);
      const candidates = new Candidates(4, target);
      for (let i = 0; i < count; i++) {
        const bytes = Uint8Array.of(...randomId(random), 10, random() * 4, 0, random() * 64, 1, 1);
        const slot = candidates.add(bytes, 0, 1, 1);
        if (slot >= 0) candidates.setState(slot, Math.floor(random() * 5) as 0 | 1 | 2 | 3 | 4);
        if (slot >= 0 && random() < 0.2) candidates.handleAnswer(slot, randomId(random), 0);
      }
      const nodes = inOrder(candidates);
      expect(nodes.length).toBeLessThanOrEqual(MAX_CANDIDATES);
      for (let i = 1; i < nodes.length; i++) {
        expect(compareDistance(nodes[i - 1]!, 0, nodes[i]!, 0, target, 0)).toBeLessThan(0);
      }
    }),
  );
});
