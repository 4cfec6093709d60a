import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  answerHashCount,
  encodeHandshake,
  HandshakeReader,
  WireError,
  type WireHandler,
  WireSession,
  type WireSessionOptions,
} from '../src/index.ts';
import { concat, type Event, HASH_REQUEST, PIECES, recorder, SAMPLES } from './support.ts';

const infoHash = new Uint8Array(20).fill(1);
const infoHashV2 = new Uint8Array(20).fill(2);
const ALL = { dht: true, fast: true, extended: true };
const handshake = { infoHash, peerId: new Uint8Array(20).fill(9), features: ALL };

const read = (bytes: Uint8Array) => {
  const reader = new HandshakeReader();
  reader.handleBytes(bytes);
  return reader.handshake!;
};
const remoteHandshake = read(encodeHandshake({ ...handshake, peerId: new Uint8Array(20).fill(8) }));

/** A session that has got and sent its handshake, with nothing left to send. */
function greeted(options: Partial<WireSessionOptions> = {}): WireSession {
  const session = new WireSession({ handshake, remoteHandshake, pieces: PIECES, ...options });
  session.sendHandshake();
  session.takeOutput();
  return session;
}

const failure = (run: () => unknown) => {
  try {
    run();
  } catch (error) {
    if (error instanceof WireError) return `${error.fault} ${error.code}`;
    throw error;
  }
  return 'fine';
};

/** Two sessions and what each was told. */
class Pair {
  readonly toA: ReturnType<typeof recorder> = recorder();
  readonly toB: ReturnType<typeof recorder> = recorder();
  readonly a: WireSession;
  readonly b: WireSession;

  constructor(a: WireSession, b: WireSession) {
    this.a = a;
    this.b = b;
  }

  /** Carries what waits, both ways. */
  exchange(): void {
    const fromA = this.a.takeOutput();
    const fromB = this.b.takeOutput();
    if (fromA !== undefined) this.b.handleBytes(fromA, this.toB.handler);
    if (fromB !== undefined) this.a.handleBytes(fromB, this.toA.handler);
  }
}

describe('the handshake', () => {
  const answer = (options: object) => encodeHandshake({ ...handshake, ...options });

  test('comes in any splits with messages behind it', () => {
    const stream = concat([answer({}), SAMPLES.haveAll!.bytes, SAMPLES.unchoke!.bytes]);
    for (let at = 0; at <= stream.length; at++) {
      const session = new WireSession({ handshake, pieces: PIECES });
      const { events, handler } = recorder();
      session.handleBytes(stream, handler, 0, at);
      session.handleBytes(stream, handler, at);
      expect(events.map(([name]) => name)).toEqual(['handshake', 'haveAll', 'unchoke']);
      expect(session.remoteHandshake).toEqual(read(answer({})));
    }
  });

  test('agrees on what both offer', () => {
    const combinations = [true, false].flatMap((fast) =>
      [true, false].map((extended) => ({ fast, extended, dht: fast })),
    );
    for (const mine of combinations) {
      for (const theirs of combinations) {
        const session = new WireSession({ handshake: { ...handshake, features: mine } });
        expect(session.features).toEqual({ dht: false, fast: false, extended: false, v2: false });
        session.handleBytes(answer({ features: theirs }), {});
        expect(session.features).toEqual({
          dht: mine.dht && theirs.dht,
          fast: mine.fast && theirs.fast,
          extended: mine.extended && theirs.extended,
          v2: false,
        });
      }
    }
  });

  test('for another torrent closes', () => {
    const session = new WireSession({ handshake });
    session.sendHandshake();
    const other = answer({ infoHash: infoHashV2 });
    expect(failure(() => session.handleBytes(other, {}))).toBe('remote wrong-info-hash');
    expect([session.isClosed, session.takeOutput()]).toEqual([true, undefined]);
    expect(failure(() => session.handleBytes(other, {}))).toBe('local closed');
    expect(failure(() => greeted({ remoteHandshake: read(other) }))).toBe('remote wrong-info-hash');
  });

  test('of another protocol closes', () => {
    const session = new WireSession({ handshake });
    const bytes = new TextEncoder().encode('GET / HTTP/1.1\r\n');
    expect(failure(() => session.handleBytes(bytes, {}))).toBe('remote not-bittorrent');
    expect(session.isClosed).toBe(true);
  });

  test('is said once, and first', () => {
    const session = new WireSession({ handshake, pieces: PIECES });
    for (const say of [() => session.unchoke(), () => session.have(1), () => session.keepAlive()]) {
      expect(failure(say)).toBe('local out-of-turn');
    }
    expect(session.takeOutput()).toBeUndefined();
    session.sendHandshake();
    expect(failure(() => session.sendHandshake())).toBe('local out-of-turn');
    expect(session.takeOutput()).toEqual(encodeHandshake(handshake));
    // What BEP 3 has may be said before the answer; what is to be agreed on may not.
    session.unchoke();
    expect(failure(() => session.haveAll())).toBe('local not-negotiated');
  });

  test('may be closed from its callback, and not be fed', () => {
    const bytes = concat([answer({}), SAMPLES.unchoke!.bytes]);
    const session = new WireSession({ handshake });
    const calls: string[] = [];
    const handler: WireHandler = {
      onHandshake: () => {
        calls.push(failure(() => session.handleBytes(bytes, handler)));
        session.close();
      },
      onUnchoke: () => calls.push('unchoke'),
    };
    session.handleBytes(bytes, handler);
    expect(calls).toEqual(['local closed']);
  });

  describe('of a hybrid torrent (BEP 52, "Upgrade Path")', () => {
    const offering = { ...handshake, features: { ...ALL, v2: true } };
    const v2Answer = answer({ infoHash: infoHashV2 });

    test('may be answered with the v2 info-hash where that was offered', () => {
      const session = new WireSession({ handshake: offering, infoHashV2 });
      session.handleBytes(v2Answer, {});
      expect(session.features.v2).toBe(true);
      const shy = new WireSession({ handshake, infoHashV2 });
      expect(failure(() => shy.handleBytes(v2Answer, {}))).toBe('remote wrong-info-hash');
    });

    test('stays on v1 where the answer does', () => {
      const session = new WireSession({ handshake: offering, infoHashV2 });
      session.handleBytes(answer({}), {});
      expect(session.features.v2).toBe(false);
    });

    test('may be upgraded by who accepts it', () => {
      const call = read(encodeHandshake(offering));
      const ours = { ...handshake, infoHash: infoHashV2 };
      expect(greeted({ handshake: ours, remoteHandshake: call, infoHashV2 }).features.v2).toBe(
        true,
      );
      expect(greeted({ remoteHandshake: call, infoHashV2 }).features.v2).toBe(false);
      // Not where the caller did not offer it.
      const shy = () => greeted({ handshake: ours, remoteHandshake, infoHashV2 });
      expect(failure(shy)).toBe('remote wrong-info-hash');
    });

    test('has a v2 info-hash of 20 bytes', () => {
      const cut = () => new WireSession({ handshake, infoHashV2: new Uint8Array(32) });
      expect(failure(cut)).toBe('local invalid-argument');
    });

    test('runs under v2 where both name it', () => {
      const ours = { ...handshake, infoHash: infoHashV2 };
      expect(
        greeted({ handshake: ours, remoteHandshake: read(v2Answer), infoHashV2 }).features.v2,
      ).toBe(true);
    });
  });
});

describe('messages to send', () => {
  /** Every message by its sample's name. */
  const say: Record<string, (session: WireSession) => void> = {
    keepAlive: (s) => s.keepAlive(),
    unchoke: (s) => s.unchoke(),
    interested: (s) => s.interested(),
    have: (s) => s.have(19),
    bitfield: (s) => s.bitfield(Uint8Array.of(0xff, 0x01, 0xf0)),
    request: (s) => s.request(7, 16_384, 16_384),
    cancel: (s) => s.cancel(7, 0, 9),
    port: (s) => s.port(0xabcd),
    suggest: (s) => s.suggest(3),
    haveAll: (s) => s.haveAll(),
    haveNone: (s) => s.haveNone(),
    reject: (s) => s.reject(1, 2, 3),
    allowedFast: (s) => s.allowedFast(0),
    extended: (s) => s.extended(3, Uint8Array.of(9, 8, 7)),
    hashRequest: (s) => s.hashRequest(HASH_REQUEST),
    hashReject: (s) => s.hashReject(HASH_REQUEST),
  };
  const v2 = { handshake: { ...handshake, infoHash: infoHashV2 }, infoHashV2 };
  const v2Session = (more: Partial<WireSessionOptions> = {}) =>
    greeted({
      ...v2,
      remoteHandshake: read(encodeHandshake({ ...handshake, infoHash: infoHashV2 })),
      ...more,
    });

  test.each(Object.entries(say))('%s has its bytes', (name, send) => {
    const session = v2Session();
    send(session);
    expect(session.outputLength).toBe(SAMPLES[name]!.bytes.length);
    expect(session.takeOutput()).toEqual(SAMPLES[name]!.bytes);
    expect([session.outputLength, session.takeOutput()]).toEqual([0, undefined]);
  });

  test('hashes have theirs', () => {
    const session = v2Session();
    const count = answerHashCount(HASH_REQUEST.length, HASH_REQUEST.proofLayers);
    session.hashes(
      HASH_REQUEST,
      Uint8Array.from({ length: 32 * count }, (_, i) => i),
    );
    expect(session.takeOutput()).toEqual(SAMPLES.hashes!.bytes);
  });

  test('choke and interest are said when they change', () => {
    const session = greeted();
    session.choke();
    session.notInterested();
    expect(session.outputLength).toBe(0);
    session.unchoke();
    session.unchoke();
    session.interested();
    session.interested();
    expect([session.amChoking, session.amInterested]).toEqual([false, true]);
    session.choke();
    session.notInterested();
    expect([session.amChoking, session.amInterested]).toEqual([true, false]);
    const names = ['unchoke', 'interested', 'choke', 'notInterested'];
    expect(session.takeOutput()).toEqual(concat(names.map((name) => SAMPLES[name]!.bytes)));
  });

  test('a block header takes what waits along', () => {
    const session = greeted();
    session.unchoke();
    const bytes = session.blockHeader(7, 100, 5);
    expect(bytes).toEqual(concat([SAMPLES.unchoke!.bytes, SAMPLES.piece!.bytes.subarray(0, 13)]));
    expect(session.outputLength).toBe(0);
  });

  test('taken output stays as it is', () => {
    const session = greeted();
    const taken: [Uint8Array, Uint8Array][] = [];
    for (let i = 0; i < 3_000; i++) {
      session.have(i % 20);
      if (i % 5 === 0) {
        const bytes = session.takeOutput()!;
        taken.push([bytes, bytes.slice()]);
      }
    }
    expect(taken.every(([bytes, copy]) => bytes.every((byte, i) => byte === copy[i]))).toBe(true);
    expect(taken.reduce((sum, [bytes]) => sum + bytes.length, 0) + session.outputLength).toBe(
      27_000,
    );
  });

  test('one message larger than all room comes out whole', () => {
    const session = greeted();
    session.have(1);
    const payload = Uint8Array.from({ length: 100_000 }, (_, i) => i);
    session.extended(1, payload);
    session.have(2);
    const bytes = session.takeOutput()!;
    expect(bytes.length).toBe(9 + 100_006 + 9);
    expect(bytes.subarray(15, -9)).toEqual(payload);
  });

  test.each<[string, (session: WireSession) => void]>([
    ['out-of-turn', (s) => s.haveNone()],
    ['out-of-turn', (s) => s.haveNone()],
    ['piece-out-of-range', (s) => s.have(20)],
    ['piece-out-of-range', (s) => s.have(-1)],
    ['piece-out-of-range', (s) => s.suggest(0.5)],
    ['piece-out-of-range', (s) => s.request(20, 0, 1)],
    ['block-out-of-range', (s) => s.request(0, 0, 16_385)],
    ['block-out-of-range', (s) => s.request(0, 32_768, 1)],
    ['block-out-of-range', (s) => s.request(0, 0, 0)],
    ['block-out-of-range', (s) => s.blockHeader(0, 32_767, 2)],
    ['block-out-of-range', (s) => s.reject(0, -1, 2)],
    ['invalid-argument', (s) => s.port(70_000)],
    ['invalid-argument', (s) => s.request(0, 0.5, 1)],
    ['invalid-argument', (s) => s.extended(256, new Uint8Array(0))],
    ['message-too-long', (s) => s.extended(1, new Uint8Array(1_048_575))],
    ['not-negotiated', (s) => s.hashRequest(HASH_REQUEST)],
  ])('%s: a local error, and nothing changes', (code, send) => {
    const session = greeted();
    session.haveNone();
    session.takeOutput();
    expect(failure(() => send(session))).toBe(`local ${code}`);
    expect([session.outputLength, session.isClosed, session.openHashRequests]).toEqual([
      0,
      false,
      0,
    ]);
    session.have(3);
    expect(session.outputLength).toBe(9);
  });

  test('a bitfield of another size or with spare bits is not ours to send', () => {
    const session = greeted();
    expect(failure(() => session.bitfield(new Uint8Array(2)))).toBe('local wrong-length');
    expect(failure(() => session.bitfield(Uint8Array.of(0, 0, 1)))).toBe('local spare-bits');
    expect(failure(() => session.bitfield(new Uint8Array(3)))).toBe('fine');
  });

  test('hashes of the wrong number are refused', () => {
    const session = v2Session();
    expect(failure(() => session.hashes(HASH_REQUEST, new Uint8Array(32)))).toBe(
      'local invalid-argument',
    );
    const unsound = { ...HASH_REQUEST, length: 0 };
    expect(failure(() => session.hashRequest(unsound))).toBe('local invalid-argument');
    expect([session.outputLength, session.openHashRequests]).toEqual([0, 0]);
  });

  test('a choked peer without BEP 6 asks for nothing', () => {
    const plain = { ...handshake, features: {} };
    const session = greeted({ handshake: plain });
    expect(failure(() => session.request(0, 0, 1))).toBe('local choked');
    session.handleBytes(SAMPLES.unchoke!.bytes, {});
    session.request(0, 0, 1);
    session.handleBytes(SAMPLES.choke!.bytes, {});
    expect(failure(() => session.request(0, 0, 1))).toBe('local choked');
    session.cancel(0, 0, 1);
    expect(failure(() => session.reject(0, 0, 1))).toBe('local not-negotiated');
    greeted().request(0, 0, 1); // with BEP 6 there will be an answer
  });

  test('a closed session sends nothing', () => {
    const session = greeted();
    session.unchoke();
    session.close();
    expect(session.takeOutput()).toBeUndefined();
    for (const send of Object.values(say)) {
      expect(failure(() => send(session))).toMatch(/^(local closed|fine)$/);
    }
    expect(failure(() => session.choke())).toBe('local closed');
    expect(session.takeOutput()).toBeUndefined();
    session.setPieces(PIECES, {});
  });
});

describe('messages that arrive', () => {
  test('turn the flags before they are told', () => {
    const session = greeted();
    const seen: unknown[] = [];
    const look = () => seen.push([session.peerChoking, session.peerInterested]);
    const handler = { onUnchoke: look, onInterested: look, onChoke: look, onNotInterested: look };
    for (const name of ['unchoke', 'interested', 'choke', 'notInterested']) {
      session.handleBytes(SAMPLES[name]!.bytes, handler);
    }
    expect(seen).toEqual([
      [false, false],
      [false, true],
      [true, true],
      [true, false],
    ]);
  });

  test.each(['suggest', 'haveAll', 'haveNone', 'reject', 'allowedFast', 'extended', 'hashRequest'])(
    '%s closes when it was not negotiated',
    (name) => {
      const session = greeted({ handshake: { ...handshake, features: {} } });
      const { events, handler } = recorder();
      expect(failure(() => session.handleBytes(SAMPLES[name]!.bytes, handler))).toBe(
        'remote not-negotiated',
      );
      expect([session.isClosed, events]).toEqual([true, []]);
    },
  );

  test.each(['bitfield', 'haveAll'])('%s after a declaration tells anew', (name) => {
    for (const first of ['bitfield', 'haveAll', 'haveNone', 'have']) {
      const session = greeted();
      const events: string[] = [];
      session.handleBytes(SAMPLES[first]!.bytes, {});
      session.handleBytes(SAMPLES[name]!.bytes, {
        onBitfield: () => events.push('bitfield'),
        onHaveAll: () => events.push('haveAll'),
      });
      expect(events).toEqual([name]);
    }
  });

  test('have none after a declaration closes', () => {
    for (const first of ['bitfield', 'haveAll', 'haveNone', 'have']) {
      const session = greeted();
      session.handleBytes(SAMPLES[first]!.bytes, {});
      expect(failure(() => session.handleBytes(SAMPLES.haveNone!.bytes, {}))).toBe(
        'remote out-of-turn',
      );
    }
  });

  test.each(['bitfield', 'haveAll', 'haveNone'])('%s may be the first declaration', (name) => {
    const session = greeted();
    for (const first of ['keepAlive', 'extended', 'port', 'unchoke', 'interested', 'allowedFast']) {
      session.handleBytes(SAMPLES[first]!.bytes, {});
    }
    expect(failure(() => session.handleBytes(SAMPLES[name]!.bytes, {}))).toBe('fine');
  });
});

describe('hash requests (BEP 52)', () => {
  const ours = { ...handshake, infoHash: infoHashV2 };
  const connect = () => {
    const options = { handshake: ours, infoHashV2, remoteHandshake: read(encodeHandshake(ours)) };
    return new Pair(greeted(options), greeted(options));
  };
  const hashes = new Uint8Array(32 * answerHashCount(4, 5)).fill(5);

  test('are answered once', () => {
    const pair = connect();
    pair.a.hashRequest(HASH_REQUEST);
    pair.exchange();
    expect(pair.toB.events).toEqual([['hashRequest', HASH_REQUEST]]);
    pair.b.hashes(HASH_REQUEST, hashes);
    pair.exchange();
    expect(pair.toA.events).toEqual([['hashes', HASH_REQUEST, [...hashes]]]);
    expect(pair.a.openHashRequests).toBe(0);
    pair.b.hashes(HASH_REQUEST, hashes);
    expect(failure(() => pair.exchange())).toBe('remote unasked-hashes');
  });

  test('may be rejected, once', () => {
    const pair = connect();
    pair.a.hashRequest(HASH_REQUEST);
    pair.b.hashReject(HASH_REQUEST);
    pair.exchange();
    expect(pair.toA.events).toEqual([['hashReject', HASH_REQUEST]]);
    pair.b.hashReject(HASH_REQUEST);
    expect(failure(() => pair.exchange())).toBe('remote unasked-hashes');
  });

  test('are not answered by other hashes, nor by more', () => {
    const other = connect();
    other.a.hashRequest(HASH_REQUEST);
    other.b.hashes({ ...HASH_REQUEST, index: 0 }, hashes);
    expect(failure(() => other.exchange())).toBe('remote unasked-hashes');
    const more = connect();
    more.a.hashRequest(HASH_REQUEST);
    more.a.takeOutput();
    const bytes = SAMPLES.hashes!.bytes.slice();
    bytes[3]! += 32;
    expect(failure(() => more.a.handleBytes(bytes, {}))).toBe('remote wrong-length');
  });
});

test('a magnet link: pieces become known later', () => {
  const session = new WireSession({ handshake, remoteHandshake });
  session.sendHandshake();
  const { events, handler } = recorder();
  session.haveNone();
  expect(failure(() => session.request(0, 0, 1))).toBe('local out-of-turn');
  expect(failure(() => session.have(0))).toBe('local piece-out-of-range');
  session.handleBytes(concat([SAMPLES.bitfield!.bytes, SAMPLES.have!.bytes]), handler);
  expect(events).toEqual([]);
  session.setPieces(PIECES, handler);
  expect(events).toEqual([SAMPLES.bitfield!.event, ['have', 19]]);
  session.request(0, 0, 1);
  expect(failure(() => session.setPieces(PIECES, handler))).toBe('local invalid-argument');
});

/** Steps of a conversation that a session may refuse locally, but must never let out for the other one to refuse. */
const STEPS: readonly ((session: WireSession) => void)[] = [
  (s) => s.keepAlive(),
  (s) => s.choke(),
  (s) => s.unchoke(),
  (s) => s.interested(),
  (s) => s.notInterested(),
  (s) => s.bitfield(Uint8Array.of(0, 1, 0x10)),
  (s) => s.haveAll(),
  (s) => s.haveNone(),
  (s) => s.have(19),
  (s) => s.request(3, 16_384, 16_384),
  (s) => s.cancel(3, 16_384, 16_384),
  (s) => s.reject(3, 0, 16_384),
  (s) => s.suggest(0),
  (s) => s.allowedFast(1),
  (s) => s.port(1),
  (s) => s.extended(0, Uint8Array.of(100, 101)),
  (s) => s.hashRequest(HASH_REQUEST),
];

test('what one session lets out, the other one takes', () => {
  const anySide = fc.record({
    fast: fc.boolean(),
    extended: fc.boolean(),
    dht: fc.boolean(),
    v2: fc.constant(true),
  });
  const anySteps = fc.array(fc.tuple(fc.boolean(), fc.nat(STEPS.length), fc.boolean()), {
    maxLength: 60,
  });
  const said = new Set<unknown>();
  fc.assert(
    fc.property(anySide, anySide, fc.boolean(), anySteps, (mine, theirs, upgrade, steps) => {
      const call = { ...handshake, features: mine };
      const reply = {
        ...handshake,
        infoHash: upgrade ? infoHashV2 : infoHash,
        features: theirs,
      };
      const pair = new Pair(
        new WireSession({ handshake: call, infoHashV2, pieces: PIECES }),
        new WireSession({
          handshake: reply,
          remoteHandshake: read(encodeHandshake(call)),
          infoHashV2,
          pieces: PIECES,
        }),
      );
      pair.a.sendHandshake();
      pair.a.takeOutput();
      pair.b.sendHandshake();
      for (const [isA, step, carries] of steps) {
        const speaker = isA ? pair.a : pair.b;
        const listener = isA ? pair.b : pair.a;
        try {
          if (step < STEPS.length) STEPS[step]!(speaker);
          else {
            // A block: its header has to be carried at once, with the bytes behind it.
            pair.exchange();
            listener.handleBytes(
              speaker.blockHeader(5, 0, 3),
              isA ? pair.toB.handler : pair.toA.handler,
            );
            listener.handleBytes(Uint8Array.of(1, 2, 3), isA ? pair.toB.handler : pair.toA.handler);
          }
        } catch (error) {
          if (!(error instanceof WireError) || error.fault !== 'local') throw error;
        }
        if (carries) pair.exchange();
      }
      pair.exchange();
      const flags = (s: WireSession) => [
        s.amChoking,
        s.amInterested,
        s.peerChoking,
        s.peerInterested,
      ];
      const [aChoking, aInterested, bChoking, bInterested] = flags(pair.a);
      expect(flags(pair.b)).toEqual([bChoking, bInterested, aChoking, aInterested]);
      expect(pair.a.features).toEqual(pair.b.features);
      for (const [name] of [...pair.toA.events, ...pair.toB.events] as Event[]) said.add(name);
    }),
    { numRuns: 300 },
  );
  // The walk is worth something only if it gets everywhere.
  expect([...said].sort()).toEqual(
    [
      ...['allowedFast', 'bitfield', 'block', 'cancel', 'choke', 'extended', 'handshake'],
      ...['hashRequest', 'have', 'haveAll', 'haveNone', 'interested', 'keepAlive'],
      ...['notInterested', 'port', 'reject', 'request', 'suggest', 'unchoke'],
    ].sort(),
  );
});
