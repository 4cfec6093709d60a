import { createRandom } from '@bt/simulator';
import { bytesToHex } from '@noble/hashes/utils.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ChannelHandshake,
  type ChannelHandshakeOptions,
  channelSignalOf,
  type HandshakeEffect,
  MAX_ROUND,
  pairIdentities,
} from '../../src/channel/channel-handshake.ts';
import {
  GUESS_PERIOD_MS,
  GuessLimit,
  MAX_FRIEND_GUESSES,
  MAX_GUESSES,
} from '../../src/channel/guess-limit.ts';
import { Spake2 } from '../../src/channel/spake2.ts';

const FINGERPRINTS = [new Uint8Array(32).fill(0xa1), new Uint8Array(32).fill(0xb2)] as const;
const PHRASE = new Uint8Array(32).fill(5);
const OTHER_PHRASE = new Uint8Array(32).fill(6);

/** One member: begins a session whenever the handshake wants one. */
class Member {
  readonly handshake: ChannelHandshake;
  readonly said: unknown[] = [];
  readonly happened: HandshakeEffect[] = [];
  readonly #random: () => number;

  constructor(index: 0 | 1, options: Partial<ChannelHandshakeOptions> = {}, seed = 1) {
    this.#random = createRandom(seed + index);
    this.handshake = new ChannelHandshake({
      isControlling: index === 0,
      identities: index === 0 ? { own: 'a', peer: 'b' } : { own: 'b', peer: 'a' },
      fingerprint: FINGERPRINTS[index],
      ...options,
    });
  }

  bytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => Math.floor(this.#random() * 256));
  }

  begin(now: number): void {
    this.handshake.begin(now, { randomBytes: this.bytes(40) });
    this.drain(now);
  }

  hear(now: number, data: unknown): void {
    this.handshake.handleSignal(now, JSON.parse(JSON.stringify(data)));
    this.drain(now);
  }

  wait(now: number): void {
    this.handshake.handleTimeout(now);
    this.drain(now);
  }

  drain(now: number): void {
    for (let effect = this.handshake.poll(); effect; effect = this.handshake.poll()) {
      if (effect.type === 'signal') this.said.push(effect.data);
      else {
        this.happened.push(effect);
        if (effect.type === 'superseded' || effect.type === 'wanted') this.begin(now);
      }
    }
  }

  /** Since it last began. */
  get events(): string[] {
    const types = this.happened.map(({ type }) => type);
    return types.slice(Math.max(types.lastIndexOf('superseded'), types.lastIndexOf('wanted')) + 1);
  }
}

/** Delivers whatever they say, until they have nothing to say. */
function converse(a: Member, b: Member, now = 0): void {
  let count = 0;
  for (let moved = true; moved; ) {
    moved = false;
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      for (let data = from.said.shift(); data !== undefined; data = from.said.shift()) {
        to.hear(now, data);
        moved = true;
        count += 1;
        if (count > 1000) throw new Error('they never come to an end');
      }
    }
  }
}

const pair = (
  first: Partial<ChannelHandshakeOptions> = {},
  second: Partial<ChannelHandshakeOptions> = {},
) => [new Member(0, first), new Member(1, second)] as const;

describe('without a phrase', () => {
  it('binds and trusts after one trip', () => {
    const [a, b] = pair();
    a.begin(0);
    b.begin(0);
    expect([a.said.length, b.said.length]).toEqual([1, 1]);
    a.hear(0, b.said[0]);
    b.hear(0, a.said[0]);
    expect([a.events, b.events]).toEqual([
      ['bound', 'trusted'],
      ['bound', 'trusted'],
    ]);
    expect(a.happened[0]).toMatchObject({ fingerprint: FINGERPRINTS[1] });
    expect(a.handshake.isAuthenticated).toBe(false);
  });

  it('binds what was said before there was a session', () => {
    const [a, b] = pair();
    a.begin(0);
    b.handshake.handleSignal(0, a.said.shift());
    expect(b.handshake.poll()).toEqual({ type: 'wanted' });
    b.begin(5);
    converse(a, b);
    expect([a.events, b.events]).toEqual([
      ['bound', 'trusted'],
      ['bound', 'trusted'],
    ]);
  });
});

describe('with a phrase', () => {
  it('binds after one trip, trusts after two', () => {
    const [a, b] = pair({ phraseKey: PHRASE }, { phraseKey: PHRASE });
    a.begin(0);
    b.begin(0);
    const [toB, toA] = [a.said.shift(), b.said.shift()];
    a.hear(0, toA);
    b.hear(0, toB);
    expect([a.events, b.events]).toEqual([['bound'], ['bound']]);
    converse(a, b);
    expect([a.events, b.events]).toEqual([
      ['bound', 'trusted'],
      ['bound', 'trusted'],
    ]);
    expect(a.handshake.isAuthenticated).toBe(true);
  });

  it.each([
    ['another phrase', OTHER_PHRASE, 'wrong-phrase'],
    ['none', undefined, 'no-phrase'],
  ])('refuses who has %s, for good', (_, phraseKey, reason) => {
    const [a, b] = pair({ phraseKey: PHRASE }, phraseKey === undefined ? {} : { phraseKey });
    a.begin(0);
    b.begin(0);
    converse(a, b);
    for (const one of [a, b]) {
      expect(one.events).not.toContain('trusted');
      expect(one.happened.at(-1)).toEqual({ type: 'refused', reason });
      one.begin(10);
      expect(one.said).toEqual([]);
    }
  });

  it('refuses fingerprints that were changed on the way', () => {
    const [a, b] = pair({ phraseKey: PHRASE }, { phraseKey: PHRASE });
    a.begin(0);
    b.begin(0);
    const forged = 'cc'.repeat(32);
    b.said[0] = { ...(b.said[0] as object), fingerprint: forged };
    converse(a, b);
    expect([...a.events, ...b.events]).not.toContain('trusted');
  });

  it('refuses a share that is none', () => {
    const [a] = pair({ phraseKey: PHRASE });
    a.begin(0);
    const hello = { kind: 'channel', round: 1, fingerprint: 'bb'.repeat(32) };
    a.hear(0, { ...hello, share: '04'.repeat(65) });
    expect(a.happened).toEqual([{ type: 'refused', reason: 'wrong-phrase' }]);
  });

  it('answers no more guesses than it may, and goes on when there may be more', () => {
    const guesses = new GuessLimit();
    for (let guess = 0; guess < MAX_GUESSES; guess += 1) {
      const [a, b] = pair({ phraseKey: PHRASE, guesses }, { phraseKey: OTHER_PHRASE });
      a.begin(0);
      b.begin(0);
      converse(a, b);
      expect(a.happened.at(-1)).toEqual({ type: 'refused', reason: 'wrong-phrase' });
    }
    const [a, b] = pair({ phraseKey: PHRASE, guesses }, { phraseKey: PHRASE });
    a.begin(0);
    b.begin(0);
    converse(a, b);
    b.wait(5000);
    converse(a, b, 5000);
    expect([a.events, b.events]).toEqual([['postponed'], ['bound']]);
    b.wait(GUESS_PERIOD_MS);
    converse(a, b, GUESS_PERIOD_MS);
    expect([a.events, b.events]).toEqual([
      ['postponed', 'bound', 'trusted'],
      ['bound', 'trusted'],
    ]);
  });

  it('lets strangers use up no guess of a friend who has shown that it knows it', () => {
    const guesses = new GuessLimit();
    const [a, b] = pair({ phraseKey: PHRASE, guesses }, { phraseKey: PHRASE });
    a.begin(0);
    b.begin(0);
    converse(a, b);
    while (guesses.begin(0) !== undefined);
    for (let round = 0; round < 2 * MAX_FRIEND_GUESSES; round += 1) {
      b.handshake.end();
      b.begin(1000 + round);
      converse(a, b, 1000 + round);
      expect([a.events.at(-1), b.events.at(-1)]).toEqual(['trusted', 'trusted']);
    }
  });

  it('lets the server guess in the name of a friend no more often than it may', () => {
    const [a, b] = pair({ phraseKey: PHRASE, guesses: new GuessLimit() }, { phraseKey: PHRASE });
    a.begin(0);
    b.begin(0);
    converse(a, b);
    const share = bytesToHex(guessing().share);
    a.happened.length = 0;
    for (let round = 2; round < 20; round += 1) {
      a.hear(0, { kind: 'channel', round, fingerprint: bytesToHex(FINGERPRINTS[1]), share });
    }
    const told = a.said.filter((data) => (data as { kind: string }).kind === 'pake');
    expect(told).toHaveLength(MAX_FRIEND_GUESSES);
    expect(a.happened.some(({ type }) => type === 'refused')).toBe(false);
  });
});

/** Some point of the curve. */
function guessing(): Spake2 {
  const identities = { identityA: 'a', identityB: 'b' };
  const randomBytes = new Uint8Array(40).fill(9);
  return new Spake2({ side: 'B', phraseKey: OTHER_PHRASE, ...identities, randomBytes });
}

describe('a channel that died', () => {
  it('is made anew by either side, with the same certificates only', () => {
    const [a, b] = pair({ phraseKey: PHRASE }, { phraseKey: PHRASE });
    a.begin(0);
    b.begin(0);
    converse(a, b);
    a.handshake.end();
    a.begin(100);
    converse(a, b, 100);
    expect(b.events).toEqual(['bound', 'trusted']);
    expect(a.happened.map(({ type }) => type)).toEqual(['bound', 'trusted', 'bound', 'trusted']);

    const stranger = new Member(1, { phraseKey: PHRASE, fingerprint: new Uint8Array(32) }, 77);
    stranger.begin(200);
    a.handshake.end();
    a.begin(200);
    converse(a, stranger, 200);
    expect(a.happened.at(-1)).toEqual({ type: 'refused', reason: 'other-identity' });
  });

  it('is made anew at once by who was about to wait, when the other side waits', () => {
    const [a, b] = pair();
    a.begin(0);
    b.begin(0);
    converse(a, b);
    b.handshake.end();
    a.handshake.end();
    a.begin(100);
    converse(a, b, 100);
    expect(b.happened.map(({ type }) => type)).toContain('wanted');
    expect(a.happened.map(({ type }) => type)).toEqual(['bound', 'trusted', 'bound', 'trusted']);
    // What is said again of a round that has been is no reason.
    b.handshake.end();
    b.hear(200, { kind: 'channel', round: 2, fingerprint: 'a1'.repeat(32) });
    expect(b.happened.at(-1)).toEqual({ type: 'trusted' });
  });

  it('is made anew by both at once', () => {
    const [a, b] = pair();
    a.begin(0);
    b.begin(0);
    converse(a, b);
    for (const one of [a, b]) {
      one.handshake.end();
      one.begin(100);
    }
    converse(a, b, 100);
    for (const one of [a, b]) {
      expect(one.happened.map(({ type }) => type)).toEqual([
        'bound',
        'trusted',
        'bound',
        'trusted',
      ]);
    }
  });
});

it('comes to rest when both are open, though each was saying it again', () => {
  const [a, b] = pair({ phraseKey: PHRASE }, { phraseKey: PHRASE });
  a.begin(0);
  b.begin(0);
  converse(a, b);
  a.wait(1000);
  a.handshake.handleOpen();
  b.handshake.handleOpen();
  converse(a, b, 1000);
  expect([a.handshake.deadline(), b.handshake.deadline()]).toEqual([undefined, undefined]);
});

it('agrees in the end, whatever is lost and however late the rest comes', () => {
  fc.assert(
    fc.property(fc.integer(), fc.boolean(), (seed, hasPhrase) => {
      const options = hasPhrase ? { phraseKey: PHRASE } : {};
      const [a, b] = [new Member(0, options, seed), new Member(1, options, seed)];
      const random = createRandom(seed);
      let now = 0;
      a.begin(now);
      b.begin(now);
      for (let step = 0; step < 60; step += 1) {
        now += Math.floor(random() * 3000);
        const [from, to] = random() < 0.5 ? [a, b] : [b, a];
        const choice = random();
        if (choice < 0.4) {
          const data = from.said.shift();
          if (data !== undefined && random() < 0.7) to.hear(now, data);
        } else if (choice < 0.8) {
          from.wait(now);
        } else if (choice < 0.9) {
          // A channel opens only between two that agree, though not at the same moment.
          const hasAgreed = [a, b].every((one) => one.events.at(-1) === 'trusted');
          if (hasAgreed && a.handshake.round === b.handshake.round) from.handshake.handleOpen();
        } else {
          from.handshake.end();
          from.begin(now);
        }
      }
      // From here on nothing is lost, and whoever has not agreed says so again.
      for (let round = 0; round < 5; round += 1) {
        converse(a, b, now);
        now += 10_000;
        a.wait(now);
        b.wait(now);
      }
      converse(a, b, now);
      for (const one of [a, b]) expect(one.events.at(-1)).toBe('trusted');
      expect(a.handshake.round).toBe(b.handshake.round);
      // And from here on there is nothing more to be said.
      a.wait(now + 10_000);
      b.handshake.handleOpen();
      b.wait(now + 10_000);
      converse(a, b, now + 10_000);
      a.handshake.handleOpen();
      converse(a, b, now + 10_000);
      for (const one of [a, b]) expect(one.handshake.deadline()).toBeUndefined();
    }),
    // SPAKE2 takes milliseconds.
    { numRuns: 60 },
  );
});

describe('candidates', () => {
  const ice = { ufrag: 'abcd', password: 'x'.repeat(22) };

  it('come to the other side each once, before and after it is bound', () => {
    const [a, b] = pair();
    a.handshake.begin(0, { randomBytes: a.bytes(40), ice });
    a.handshake.addCandidate('candidate:1 one');
    a.drain(0);
    for (const data of a.said.splice(0)) b.handshake.handleSignal(0, data);
    b.handshake.poll();
    b.begin(0);
    a.handshake.addCandidate('candidate:2 two');
    a.drain(0);
    converse(a, b);
    a.wait(2000);
    converse(a, b, 2000);
    expect(b.happened).toMatchObject([
      { type: 'bound', ice },
      { type: 'trusted' },
      { type: 'candidate', candidate: 'candidate:1 one' },
      { type: 'candidate', candidate: 'candidate:2 two' },
    ]);
  });
});

it('names both of a pair alike at both ends', () => {
  const key = new Uint8Array(32).fill(1);
  const { own, peer } = pairIdentities(key, true);
  expect(pairIdentities(key, false)).toEqual({ own: peer, peer: own });
  expect(own).not.toBe(peer);
});

describe('signals that are none', () => {
  it('are refused with invalid-message and change nothing', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (data) => {
        expect(() => channelSignalOf(data)).toThrow(
          expect.objectContaining({ code: 'invalid-message' }),
        );
      }),
    );
  });

  const good = { kind: 'channel', round: 1, fingerprint: '02'.repeat(32) };
  it.each([
    { ...good, round: 0 },
    { ...good, round: 1.5 },
    { ...good, round: MAX_ROUND + 1 },
    { ...good, fingerprint: '0g'.repeat(32) },
    { ...good, fingerprint: '02'.repeat(31) },
    { ...good, share: '04' },
    { ...good, ice: { ufrag: 'a\r\nb', password: 'x'.repeat(22) } },
    { ...good, ice: { ufrag: 'abcd', password: 'short' } },
    { ...good, candidates: Array.from({ length: 33 }, () => 'candidate:1') },
    { ...good, candidates: ['candidate:1\r\na=x'] },
    { kind: 'ice', round: 1, candidate: `candidate:${'1'.repeat(256)}` },
    { kind: 'pake', round: 1 },
    { kind: 'sdp' },
    null,
  ])('%j', (data) => {
    expect(() => channelSignalOf(data)).toThrow(
      expect.objectContaining({ code: 'invalid-message' }),
    );
  });

  it('reads back what it says', () => {
    const hello = { ...good, share: '04'.repeat(65), candidates: ['candidate:1 1'] };
    expect(channelSignalOf({ ...hello, more: 1 })).toEqual(hello);
  });
});
