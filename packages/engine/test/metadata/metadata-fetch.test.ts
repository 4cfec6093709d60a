import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  DEFAULT_MAX_METADATA_BYTES,
  MAX_METADATA_BUFFER_BYTES,
  MAX_METADATA_REQUESTS,
  MAX_METADATA_SENDERS,
  MAX_METADATA_SOLOS,
  METADATA_STALL_MS,
} from '../../src/limits.ts';
import { type Answer, type Behaviour, MetadataPeers } from '../support/metadata-peers.ts';

const KiB = 1024;
const PIECE = 16 * KiB;
const SECOND = 1_000;

const always = (answer: Answer): Behaviour => ({ answer: () => answer });

function fetched(peers: MetadataPeers): void {
  expect(peers.result && Buffer.compare(peers.result, peers.infoBytes)).toBe(0);
}

describe('fetching an info dictionary', () => {
  it('takes a round trip from one peer when it is small', () => {
    const peers = new MetadataPeers(300);
    const peer = peers.join('seed', { latencyMs: 80 });
    expect(peers.run(SECOND)).toBe(80);
    fetched(peers);
    expect(peer.asked).toEqual([0]);
    expect(peers.fetch.share).toBe(1);
  });

  it('asks several peers at once, each for other pieces', () => {
    const peers = new MetadataPeers(40 * PIECE + 1);
    const all = ['a', 'b', 'c', 'd'].map((name) => peers.join(name));
    expect(peers.run(5 * SECOND)).toBeLessThan(500);
    fetched(peers);
    const asked = all.flatMap((peer) => peer.asked).sort((a, b) => a - b);
    expect(asked).toEqual(Array.from({ length: 41 }, (_, index) => index));
    for (const peer of all) expect(peer.asked.length).toBeGreaterThan(5);
    expect(peers.liars).toEqual([]);
  });

  it('keeps a bounded number of requests in flight to a peer, and asks a bounded number of peers', () => {
    const peers = new MetadataPeers(200 * PIECE);
    const all = Array.from({ length: 3 * MAX_METADATA_SENDERS }, (_, index) =>
      peers.join(`${index}`, { latencyMs: 100 + index }),
    );
    let most = 0;
    peers.clock.runWhile(() => {
      for (const peer of all) most = Math.max(most, peer.asked.length - peer.answered);
      return peers.doneMs === undefined;
    }, 10 * SECOND);
    fetched(peers);
    expect(most).toBeGreaterThan(4);
    expect(most).toBeLessThanOrEqual(MAX_METADATA_REQUESTS);
    expect(all.filter((peer) => peer.asked.length > 0).length).toBe(MAX_METADATA_SENDERS);
  });

  it.each([
    ['v2', { infoHashV1: undefined, isV2: true }],
    ['both', { isV2: true }],
  ])('verifies by the hash of %s', (_, { isV2, ...options }) => {
    const { infoBytes } = new MetadataPeers(3 * PIECE);
    const infoHashV2 = isV2 ? createHash('sha256').update(infoBytes).digest() : undefined;
    const peers = new MetadataPeers(3 * PIECE, { ...options, infoHashV2 });
    peers.join('liar', always('wrong'));
    peers.join('seed', { latencyMs: 60 });
    expect(peers.run(SECOND)).toBeDefined();
    fetched(peers);
    expect(peers.liars).toEqual(['liar']);
  });

  it.each([
    ['v1', { infoHashV2: new Uint8Array(32) }, ['a']],
    ['v1, of several peers', { infoHashV2: new Uint8Array(32) }, ['a', 'b', 'c']],
    ['v2', { infoHashV1: new Uint8Array(20) }, ['a', 'b']],
  ])('knows a link whose hashes contradict each other by a match of %s', (_, wrong, names) => {
    const { infoBytes } = new MetadataPeers(3 * PIECE);
    const infoHashV2 = createHash('sha256').update(infoBytes).digest();
    const peers = new MetadataPeers(3 * PIECE, { infoHashV2, ...wrong });
    const all = names.map((name) => peers.join(name));
    expect(peers.run(SECOND)).toBeUndefined();
    expect(peers).toMatchObject({ contradictions: 1, liars: [], result: undefined });
    expect(peers.fetch.bufferedBytes).toBe(0);
    // Nobody is asked any more.
    const asked = () => all.reduce((sum, peer) => sum + peer.asked.length, 0);
    const before = asked();
    peers.join('late');
    peers.run(60 * SECOND);
    expect(asked()).toBe(before);
  });
});

describe('a liar', () => {
  it('that sent everything is known at once, and the next peer is asked at once', () => {
    const peers = new MetadataPeers(300);
    peers.join('liar', { ...always('wrong'), latencyMs: 20 });
    peers.join('seed', { latencyMs: 20 });
    expect(peers.run(SECOND)).toBe(40);
    expect(peers.liars).toEqual(['liar']);
  });

  it.each([2, 8, 100])(
    'among senders of %i pieces costs little, and nobody else is banned',
    (count) => {
      const honest = new MetadataPeers(count * PIECE);
      for (const name of ['a', 'b', 'c']) honest.join(name);
      const undisturbedMs = honest.run(20 * SECOND)!;

      const peers = new MetadataPeers(count * PIECE);
      peers.join('liar', { answer: (piece) => (piece % 7 === 1 ? 'wrong' : 'right') });
      peers.join('a');
      peers.join('b');
      peers.join('c');
      const tookMs = peers.run(20 * SECOND)!;
      fetched(peers);
      expect(tookMs - undisturbedMs).toBeLessThan(1.5 * SECOND);
      expect(peers.liars).toEqual(['liar']);
    },
  );

  it.each([1, 3, 20])(
    'among a hundred that take their time: %i pieces come soon all the same',
    (count) => {
      const peers = new MetadataPeers(count * PIECE);
      for (let index = 0; index < 100; index += 1) {
        peers.join(`liar ${index}`, { ...always('wrong'), latencyMs: 1_500 });
      }
      peers.join('seed');
      expect(peers.run(60 * SECOND)).toBeLessThan(10 * SECOND);
      fetched(peers);
    },
  );

  it('does not spoil an assembly by leaving', () => {
    const peers = new MetadataPeers(3 * PIECE);
    peers.join('liar', { answer: (_, before) => (before === 0 ? 'wrong' : 'leave') });
    peers.join('seed', { latencyMs: 300 });
    expect(peers.run(5 * SECOND)).toBeDefined();
    fetched(peers);
    expect(peers.liars).toEqual([]);
  });

  it('that claims another length has the cost of it, whatever it sends', () => {
    const peers = new MetadataPeers(3 * PIECE);
    const length = { lengthBytes: 2 * PIECE + 5 };
    peers.join('lying', { ...length, latencyMs: 10 });
    peers.join('silent', { lengthBytes: 77, ...always('nothing') });
    peers.join('seed');
    expect(peers.run(SECOND)).toBeLessThan(200);
    fetched(peers);
    expect(peers.liars.sort()).toEqual(['lying', 'silent']);
  });

  it('that contradicts itself is one', () => {
    const peers = new MetadataPeers(3 * PIECE);
    peers.join('other-length', always('other-length'));
    const twice = peers.join('twice', always('nothing'));
    peers.act(() => peers.fetch.offered(twice, 3 * PIECE));
    peers.act(() => peers.fetch.offered(twice, 3 * PIECE + 1));
    peers.join('seed');
    expect(peers.run(SECOND)).toBeDefined();
    expect(peers.liars.sort()).toEqual(['other-length', 'twice']);
  });

  it('costs under 5 s whatever it does, and so do twenty', () => {
    const kinds: Answer[] = ['wrong', 'reject', 'nothing', 'leave', 'other-length'];
    for (const count of [1, 20]) {
      for (const kind of kinds) {
        const peers = new MetadataPeers(5 * PIECE);
        for (let i = 0; i < count; i += 1)
          peers.join(`liar ${i}`, { ...always(kind), latencyMs: 10 });
        peers.join('seed', { latencyMs: 50 });
        peers.join('seed', { latencyMs: 50 });
        expect(peers.run(60 * SECOND), `${count} times ${kind}`).toBeLessThan(
          count === 1 ? 5 * SECOND : 30 * SECOND,
        );
        fetched(peers);
      }
    }
  });
});

describe('a peer that does not answer', () => {
  it('has its pieces asked of another one after two seconds or three', () => {
    const peers = new MetadataPeers(2 * PIECE);
    peers.join('silent', always('nothing'));
    peers.join('seed');
    const tookMs = peers.run(20 * SECOND);
    expect(tookMs).toBeGreaterThan(2 * SECOND);
    expect(tookMs).toBeLessThan(4 * SECOND);
    expect(peers.liars).toEqual([]);
  });

  it('is left alone after a stall, and asked anew after a rest', () => {
    const peers = new MetadataPeers(PIECE);
    const peer = peers.join('silent', {
      answer: (_, before) => (before < 2 ? 'nothing' : 'right'),
    });
    peers.clock.runUntil(METADATA_STALL_MS + 5 * SECOND);
    expect(peer.asked.length).toBe(1);
    expect(peers.run(60 * SECOND)).toBeDefined();
    expect(peer.asked.length).toBe(3);
  });

  it('may be slower than a stall', () => {
    const peers = new MetadataPeers(PIECE);
    peers.join('slow', { latencyMs: METADATA_STALL_MS + 3 * SECOND });
    expect(peers.run(60 * SECOND)).toBe(METADATA_STALL_MS + 3 * SECOND);
  });

  it('is no longer useful', () => {
    const peers = new MetadataPeers(2 * PIECE);
    peers.join('half', { answer: (piece) => (piece === 0 ? 'right' : 'nothing') });
    peers.clock.runUntil(100 * SECOND);
    expect(peers.fetch.lastUsefulMs).toBe(50);
    expect(peers.fetch.share).toBe(0.5);
  });
});

describe('a peer that refuses', () => {
  it('sends another one into its place at once', () => {
    const peers = new MetadataPeers(PIECE);
    peers.join('refuses', always('reject'));
    peers.join('seed');
    expect(peers.run(SECOND)).toBe(100);
  });

  it('is asked again after a rest: it may have the dictionary then', () => {
    const peers = new MetadataPeers(PIECE);
    peers.join('later', { answer: (_, before) => (before === 0 ? 'reject' : 'right') });
    const tookMs = peers.run(60 * SECOND);
    expect(tookMs).toBeGreaterThan(5 * SECOND);
    expect(tookMs).toBeLessThan(15 * SECOND);
  });

  it('gives what it has, and what it lacks comes from the others', () => {
    const peers = new MetadataPeers(10 * PIECE);
    peers.join('part', { answer: (piece) => (piece > 6 ? 'right' : 'reject') });
    peers.join('other part', { answer: (piece) => (piece > 6 ? 'reject' : 'right') });
    expect(peers.run(5 * SECOND)).toBeLessThan(SECOND);
    fetched(peers);
  });
});

describe('bounds', () => {
  it('does not fetch what is too long', () => {
    const peers = new MetadataPeers(PIECE);
    const length = { lengthBytes: DEFAULT_MAX_METADATA_BYTES + 1 };
    const peer = peers.join('too long', length);
    expect(peer.asked).toEqual([]);
    expect(peers.tooLong).toEqual([length.lengthBytes]);
    const small = new MetadataPeers(PIECE, { maxBytes: PIECE - 1 });
    expect(small.join('a').asked).toEqual([]);
  });

  it('asks a bounded number of those who have put a wrong one together for all of it', () => {
    const peers = new MetadataPeers(32 * PIECE);
    // The half that answers first is the one that is known best.
    const all = Array.from({ length: MAX_METADATA_SENDERS }, (_, index) =>
      peers.join(`${index}`, {
        latencyMs: index < 4 ? 100 : 1_500,
        answer: () => (index === 0 ? 'wrong' : 'right'),
      }),
    );
    expect(peers.run(20 * SECOND)).toBeDefined();
    fetched(peers);
    const asked = all.filter((peer) => new Set(peer.asked).size === peers.pieceCount);
    expect(asked.length).toBeGreaterThan(0);
    expect(asked.length).toBeLessThanOrEqual(MAX_METADATA_SOLOS);
  });

  it('keeps nothing that nobody asked for', () => {
    const peers = new MetadataPeers(3 * PIECE);
    const peer = peers.join('a', always('nothing'));
    peers.act(() => {
      peers.fetch.received(peer, 2, 3 * PIECE, new Uint8Array(PIECE));
      peers.fetch.rejected(peer, 2);
    });
    expect(peers.fetch.share).toBe(0);
  });

  it('holds no more memory than it says, and still comes to an end', () => {
    const peers = new MetadataPeers(3 * PIECE);
    // Strangers that claim 8 MiB each, all different, and never send the last piece.
    const length = (index: number) => DEFAULT_MAX_METADATA_BYTES - index;
    for (let index = 0; index < 12; index += 1) {
      peers.join(`${index}`, {
        lengthBytes: length(index),
        answer: (piece) => (piece === 511 ? 'nothing' : 'right'),
      });
    }
    let most = 0;
    peers.clock.runWhile(() => {
      most = Math.max(most, peers.fetch.bufferedBytes);
      return true;
    }, 8 * SECOND);
    expect(most).toBeGreaterThan(MAX_METADATA_BUFFER_BYTES - 8 * 1024 * KiB);
    expect(most).toBeLessThanOrEqual(MAX_METADATA_BUFFER_BYTES);
    peers.join('seed');
    expect(peers.run(SECOND)).toBeDefined();
    expect(peers.fetch.bufferedBytes).toBe(0);
  });
});

it('gets the truth from any swarm with one honest peer that stays, and bans nobody honest', () => {
  const kind = fc.constantFrom<Answer>(
    'wrong',
    'reject',
    'nothing',
    'leave',
    'other-length',
    'right',
  );
  const stranger = fc.record({
    latencyMs: fc.integer({ min: 1, max: 4_000 }),
    joinsMs: fc.integer({ min: 0, max: 5_000 }),
    otherLength: fc.option(fc.integer({ min: 1, max: 6 * PIECE }), { nil: undefined }),
    answers: fc.array(kind, { minLength: 1, maxLength: 8 }),
  });
  const swarm = fc.record({
    seed: fc.integer(),
    lengthBytes: fc.integer({ min: 1, max: 6 * PIECE }),
    honest: fc.array(fc.integer({ min: 1, max: 1_500 }), { minLength: 1, maxLength: 3 }),
    strangers: fc.array(stranger, { maxLength: 14 }),
  });
  fc.assert(
    fc.property(swarm, ({ seed, lengthBytes, honest, strangers }) => {
      const peers = new MetadataPeers(lengthBytes, { seed });
      for (const [index, { joinsMs, latencyMs, otherLength, answers }] of strangers.entries()) {
        peers.clock.after(joinsMs, () =>
          peers.join(`stranger ${index}`, {
            latencyMs,
            ...(otherLength === undefined ? {} : { lengthBytes: otherLength }),
            answer: (_, before) => answers[before % answers.length]!,
          }),
        );
      }
      for (const [index, latencyMs] of honest.entries()) {
        peers.clock.after(100, () => peers.join(`honest ${index}`, { latencyMs }));
      }
      expect(peers.run(300 * SECOND)).toBeDefined();
      fetched(peers);
      expect(peers.liars.filter((name) => name.startsWith('honest'))).toEqual([]);
    }),
    { numRuns: 150 },
  );
});
