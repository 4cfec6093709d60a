import { createRandom } from '@bt/simulator';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_EXCHANGES, ShortCodeExchange } from '../../src/channel/short-code.ts';

const FINGERPRINTS = [1, 2, 3].map((fill) => new Uint8Array(32).fill(fill));
const [A, B, M] = FINGERPRINTS as [Uint8Array, Uint8Array, Uint8Array];
const CODE = /^\d{3} \d{3} \d{3} \d{3}$/;

function end(fingerprint: Uint8Array, seed: number): ShortCodeExchange {
  const random = createRandom(seed);
  const randomBytes = (lengthBytes: number) =>
    Uint8Array.from({ length: lengthBytes }, () => Math.floor(random() * 256));
  return new ShortCodeExchange({ fingerprint, randomBytes });
}

/** One channel, which dies when so many frames have been delivered. */
function channel(a: ShortCodeExchange, b: ShortCodeExchange, lives = Number.POSITIVE_INFINITY) {
  a.handleOpen(B);
  b.handleOpen(A);
  let count = 0;
  for (let moved = true; moved; ) {
    moved = false;
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      for (let frame = from.poll(); frame !== undefined; frame = from.poll()) {
        if (count >= lives) return;
        count += 1;
        moved = true;
        expect(to.handleFrame(frame)).toBe(true);
      }
    }
  }
}

/** Frames that it has to send. */
function said(from: ShortCodeExchange): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (let frame = from.poll(); frame !== undefined; frame = from.poll()) frames.push(frame);
  return frames;
}

it('is the same at both ends, once both have revealed, and over later channels', () => {
  const [a, b] = [end(A, 1), end(B, 2)];
  expect([a.code, b.code]).toEqual([undefined, undefined]);
  channel(a, b);
  const { code } = a;
  expect(code).toMatch(CODE);
  expect(b.code).toBe(code);
  channel(a, b);
  expect([a.code, b.code]).toEqual([code, code]);
});

it('is another each time, with the same certificates', () => {
  const codes = [1, 2, 3].map((seed) => {
    const [a, b] = [end(A, seed), end(B, 7)];
    channel(a, b);
    return a.code;
  });
  expect(new Set(codes).size).toBe(3);
});

it('is agreed on whatever channels die on the way, and whichever end begins a new life', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(8), { maxLength: 6 }), fc.array(fc.nat(2)), (cuts, lives) => {
      let [a, b] = [end(A, 1), end(B, 2)];
      for (const [index, cut] of cuts.entries()) {
        channel(a, b, cut);
        if (lives[index] === 1) a = end(A, 10 + index);
        if (lives[index] === 2) b = end(B, 100 + index);
      }
      channel(a, b);
      expect(a.code).toMatch(CODE);
      expect(b.code).toBe(a.code);
    }),
  );
});

it('is not to be chosen by who sits between: nothing is revealed before it has committed', () => {
  const victim = end(A, 1);
  victim.handleOpen(M);
  const frames = said(victim);
  expect(frames.map(([type]) => type)).toEqual([16]);
  // It has the certificate in its hand, and tries for a nonce after the victim's is known.
  const between = end(M, 2);
  between.handleOpen(A);
  victim.handleFrame(said(between)[0]!);
  expect(said(victim).map(([type]) => type)).toEqual([17]);
  const other = Uint8Array.of(17, ...new Uint8Array(32).fill(5));
  expect(() => victim.handleFrame(other)).toThrow(
    expect.objectContaining({ code: 'invalid-message' }),
  );
  expect(victim.code).toBeUndefined();
});

it('gives who sits between another nonce with each new commitment, and not many', () => {
  const victim = end(A, 1);
  const nonces = new Set<string>();
  const tries = () => {
    for (let seed = 2; seed < 100; seed += 1) {
      const between = end(M, seed);
      victim.handleOpen(M);
      between.handleOpen(A);
      for (let turn = 0; turn < 3; turn += 1) {
        for (const frame of said(between)) victim.handleFrame(frame);
        for (const frame of said(victim)) {
          if (frame[0] === 17) nonces.add(frame.join());
          between.handleFrame(frame);
        }
      }
    }
  };
  expect(tries).toThrow(expect.objectContaining({ code: 'invalid-message' }));
  expect(nonces.size).toBe(MAX_EXCHANGES);
});

describe('frames that break the protocol', () => {
  const commitment = said(opened(end(B, 2), A))[0]!;
  const own = said(opened(end(A, 1), B))[0]!;
  const reveal = (nonce = new Uint8Array(32)) => Uint8Array.of(17, ...nonce);

  it.each<[string, Uint8Array[]]>([
    ['a commitment that is cut short', [commitment.subarray(0, 64)]],
    ['two commitments', [commitment, commitment]],
    ['a reveal before the commitment', [reveal()]],
    ['a reveal of another nonce', [commitment, reveal()]],
    ['a reveal that is cut short', [commitment, reveal(new Uint8Array(31))]],
    ['our own exchange, given back', [own, Uint8Array.of(17, ...nonceOf(end(A, 1)))]],
  ])('%s', (_, frames) => {
    const victim = opened(end(A, 1), B);
    const act = () => {
      for (const frame of frames) victim.handleFrame(frame);
    };
    expect(act).toThrow(expect.objectContaining({ code: 'invalid-message' }));
    expect(victim.code).toBeUndefined();
  });

  it('are the only ones that it knows', () => {
    expect(opened(end(A, 1), B).handleFrame(Uint8Array.of(1, 2, 3))).toBe(false);
    expect(opened(end(A, 1), B).handleFrame(new Uint8Array(0))).toBe(false);
  });
});

function opened(exchange: ShortCodeExchange, peer: Uint8Array): ShortCodeExchange {
  exchange.handleOpen(peer);
  return exchange;
}

function nonceOf(exchange: ShortCodeExchange): Uint8Array {
  const other = opened(end(B, 3), A);
  opened(exchange, B).handleFrame(said(other)[0]!);
  return said(exchange)
    .find(([type]) => type === 17)!
    .subarray(1);
}
