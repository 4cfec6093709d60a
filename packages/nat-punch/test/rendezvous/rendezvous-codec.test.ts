import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type ClientMessage,
  decodeClientMessage,
  decodeServerMessage,
  encodeSignalling,
  isMemberName,
  isPoolName,
  NatPunchError,
  type ServerMessage,
} from '../../src/index.ts';
import {
  MAX_POOL_CHARACTERS,
  MAX_ROOM_SIZE,
  MAX_SEEN_ADDRESSES,
  MAX_SIGNAL_DEPTH,
  MAX_SIGNALLING_BYTES,
} from '../../src/rendezvous/rendezvous-limits.ts';

const hex = (bytes: number) =>
  fc
    .uint8Array({ minLength: bytes, maxLength: bytes })
    .map((value) => Buffer.from(value).toString('hex'));
const key = fc.uint8Array({ minLength: 32, maxLength: 32 });
const member = hex(8);
const text = fc.string({ minLength: 1, maxLength: 20 }).filter(isPoolName);
const kind = fc.constantFrom('terminal' as const, 'browser' as const);
const count = fc.nat();
const port = fc.integer({ min: 1, max: 65_535 });
const address = fc.constantFrom('192.0.2.1', '2001:db8::1', '127.0.0.1');
const seen = fc.array(address, { maxLength: MAX_SEEN_ADDRESSES });
const data = fc
  .jsonValue({ maxDepth: 3 })
  .map((value) => JSON.parse(JSON.stringify({ kind: 'candidates', value })));

/** Without the fields that are undefined: they are absent in JSON. */
function present<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as T;
}

const signal = fc.record({
  type: fc.constant('signal' as const),
  peer: member,
  number: count,
  acknowledged: count,
  data: fc.option(data, { nil: undefined }),
});

const clientMessage = fc
  .oneof(
    fc.record({
      type: fc.constant('join' as const),
      version: fc.constant(1),
      pool: text,
      client: hex(16),
      kind,
      name: fc.option(text.filter(isMemberName), { nil: undefined }),
      pairs: fc.option(
        fc.array(fc.record({ clientTag: hex(16), pairKey: key }), { maxLength: MAX_ROOM_SIZE - 1 }),
        { nil: undefined },
      ),
    }),
    signal,
    fc.record({ type: fc.constant('ping' as const), id: count }),
    fc.record({ type: fc.constant('leave' as const) }),
    fc.record({ type: fc.constant('reject' as const), peer: member }),
  )
  .map((message) => present(message) as ClientMessage);

const serverMessage = fc
  .oneof(
    fc.record({
      type: fc.constant('welcome' as const),
      member,
      roomSize: fc.integer({ min: 2, max: MAX_ROOM_SIZE }),
      observed: fc.record({ address, port }),
      credentials: fc.record({ username: text, password: text, realm: text, expiresInMs: count }),
      ports: fc.record({
        stun: fc.array(port, { minLength: 1, maxLength: 4 }),
        turn: port,
        tls: fc.boolean(),
      }),
      alternateAddress: fc.option(address, { nil: undefined }),
    }),
    fc.record({ type: fc.constant('waiting' as const), ahead: count }),
    fc.record({
      type: fc.constant('peer' as const),
      peer: member,
      clientTag: hex(16),
      name: fc.option(text.filter(isMemberName), { nil: undefined }),
      kind,
      pairKey: key,
      isControlling: fc.boolean(),
      seen,
      startInMs: fc.nat(5000),
    }),
    fc.record({ type: fc.constant('peer-seen' as const), peer: member, seen }),
    fc.record({
      type: fc.constantFrom('peer-away' as const, 'peer-back' as const),
      peer: member,
    }),
    fc.record({
      type: fc.constant('peer-left' as const),
      peer: member,
      reason: fc.constantFrom('left' as const, 'timeout' as const, 'rejected' as const),
    }),
    signal,
    fc.record({ type: fc.constant('pong' as const), id: count }),
    fc.record({
      type: fc.constant('error' as const),
      code: fc.constantFrom('full' as const, 'invalid-message' as const),
      message: text,
    }),
  )
  .map((message) => present(message) as ServerMessage);

const DECODERS = [
  ['client', decodeClientMessage, clientMessage],
  ['server', decodeServerMessage, serverMessage],
] as const;

const JOIN = {
  type: 'join',
  version: 1,
  pool: '100',
  client: '00112233445566778899aabbccddeeff',
  kind: 'terminal',
};
const PEER = {
  type: 'peer',
  peer: '0123456789abcdef',
  clientTag: '00112233445566778899aabbccddeeff',
  kind: 'browser',
  pairKey: '00'.repeat(32),
  isControlling: true,
  seen: ['192.0.2.1'],
  startInMs: 0,
};
const WELCOME = {
  type: 'welcome',
  member: '0123456789abcdef',
  roomSize: 2,
  observed: { address: '192.0.2.1', port: 1234 },
  credentials: { username: 'u', password: 'p', realm: 'r', expiresInMs: 1 },
  ports: { stun: [3478, 3479], turn: 3478, tls: false },
};
const SIGNAL = { type: 'signal', peer: '0123456789abcdef', number: 1, acknowledged: 0 };

describe.each(DECODERS)("a %s's message", (_who, decode, message) => {
  it('is read back as it was', () => {
    fc.assert(
      fc.property(message as fc.Arbitrary<ClientMessage | ServerMessage>, (value) => {
        expect(decode(encodeSignalling(value))).toEqual(value);
      }),
    );
  });

  it('is read or refused, whatever it is', () => {
    const wild = fc.oneof(
      fc.string(),
      fc.json(),
      fc.jsonValue().map((value) => JSON.stringify(value)),
    );
    fc.assert(
      fc.property(wild, (value) => {
        expectRefusalOnly(() => decode(value));
      }),
    );
  });

  it('is read or refused when one of its fields is something else', () => {
    fc.assert(
      fc.property(
        message as fc.Arbitrary<ClientMessage | ServerMessage>,
        fc.nat(),
        fc.jsonValue(),
        (value, nth, other) => {
          const fields = JSON.parse(encodeSignalling(value));
          const names = Object.keys(fields);
          fields[names[nth % names.length]!] = other;
          expectRefusalOnly(() => decode(JSON.stringify(fields)));
        },
      ),
    );
  });

  it('can be passed on when it has been read, however its numbers and texts were written', () => {
    const numeral = fc.constantFrom('1e20', '-9e20', '1e-6', '1E308', '1e999', '-0', '0.1');
    const word = fc.constantFrom('"\\ud800"', '"\ud800"', '"\\u0000"', '"\u007f"', '"€"', '"\\/"');
    const value = fc.oneof(numeral, word);
    fc.assert(
      fc.property(value, fc.integer({ min: 1, max: 8000 }), (one, times) => {
        const list = Array(times).fill(one).join(',');
        const text = `${JSON.stringify(SIGNAL).slice(0, -1)},"data":{"a":[${list}]}}`;
        const read = readOrRefuse(() => decode(text));
        if (read !== undefined) encodeSignalling(read as ClientMessage);
      }),
      { examples: [['1e20', 3000]] },
    );
  });

  it('is refused wherever it is cut', () => {
    fc.assert(
      fc.property(message as fc.Arbitrary<ClientMessage | ServerMessage>, fc.nat(), (value, at) => {
        const encoded = encodeSignalling(value);
        const part = encoded.slice(0, at % encoded.length);
        expect(() => decode(part)).toThrow(NatPunchError);
      }),
    );
  });
});

describe('what a client sends', () => {
  it.each([
    ['no object', []],
    ['null', null],
    ['no type', {}],
    ['a type of the other direction', { type: 'pong', id: 1 }],
    ['no pool', { ...JOIN, pool: undefined }],
    ['an empty pool', { ...JOIN, pool: '' }],
    ['a long pool', { ...JOIN, pool: 'x'.repeat(MAX_POOL_CHARACTERS + 1) }],
    ['a pool with a control character', { ...JOIN, pool: 'a\u001b[2J' }],
    ['a pool with half a character', { ...JOIN, pool: 'a\ud800' }],
    ['a pool of two lines', { ...JOIN, pool: 'a\u2028b' }],
    ['a numeric pool', { ...JOIN, pool: 100 }],
    ['a short client id', { ...JOIN, client: '0011' }],
    ['a client id in capitals', { ...JOIN, client: JOIN.client.toUpperCase() }],
    ['an unknown kind', { ...JOIN, kind: 'toaster' }],
    ['an empty name', { ...JOIN, name: '' }],
    ['a version that is none', { ...JOIN, version: 1.5 }],
    ['too many pairs', { ...JOIN, pairs: Array(MAX_ROOM_SIZE).fill(pair()) }],
    ['pairs that are none', { ...JOIN, pairs: [1] }],
    ['a pair with a short key', { ...JOIN, pairs: [{ ...pair(), pairKey: '00' }] }],
    ['a member id of another form', { ...SIGNAL, peer: '../../etc' }],
    ['a negative number', { ...SIGNAL, number: -1 }],
    ['a huge number', { ...SIGNAL, number: 2 ** 53 }],
    ['data that are no object', { ...SIGNAL, data: 'x' }],
    ['a list of data', { ...SIGNAL, data: [] }],
    ['deep data', { ...SIGNAL, data: nested(MAX_SIGNAL_DEPTH + 1) }],
    ['a ping without an id', { type: 'ping' }],
  ])('is refused with %s', (_what, value) => {
    expect(() => decodeClientMessage(JSON.stringify(value))).toThrow(
      expect.objectContaining({ code: 'invalid-message' }),
    );
  });

  it('may be nested and long up to the limits', () => {
    const deep = { ...SIGNAL, data: nested(MAX_SIGNAL_DEPTH) };
    expect(decodeClientMessage(JSON.stringify(deep))).toEqual(deep);
    const room = MAX_SIGNALLING_BYTES - JSON.stringify({ ...SIGNAL, data: { x: '' } }).length;
    const long = JSON.stringify({ ...SIGNAL, data: { x: 'x'.repeat(room) } });
    expect(decodeClientMessage(long)).toMatchObject({ type: 'signal' });
    expect(() => decodeClientMessage(`${long} `)).toThrow('longer than 16 KiB');
    // Counted are bytes, not characters.
    const wide = JSON.stringify({ ...SIGNAL, data: { x: '€'.repeat(room / 2) } });
    expect(() => decodeClientMessage(wide)).toThrow('longer than 16 KiB');
  });

  it('costs no stack, however deep it is', () => {
    const deep = `{"type":"signal","data":${'['.repeat(8000)}${']'.repeat(8000)}}`;
    expectRefusalOnly(() => decodeClientMessage(deep));
  });

  it('has nothing in it that the protocol does not know', () => {
    expect(decodeClientMessage(JSON.stringify({ ...JOIN, admin: true, __proto__: 1 }))).toEqual(
      JOIN,
    );
  });
});

describe('what a server sends', () => {
  it.each([
    ['a key of another length', { ...PEER, pairKey: '00' }],
    ['a host name as an address', { ...PEER, seen: ['example.org'] }],
    ['too many addresses', { ...PEER, seen: Array(MAX_SEEN_ADDRESSES + 1).fill('192.0.2.1') }],
    ['a start far away', { ...PEER, startInMs: 60_000 }],
    ['no role', { ...PEER, isControlling: 1 }],
    ['a room of one', { ...WELCOME, roomSize: 1 }],
    ['a room of 17', { ...WELCOME, roomSize: MAX_ROOM_SIZE + 1 }],
    ['port 0', { ...WELCOME, ports: { ...WELCOME.ports, turn: 0 } }],
    ['no port', { ...WELCOME, ports: { ...WELCOME.ports, stun: [] } }],
    ['an observed address that is none', { ...WELCOME, observed: { address: 'x', port: 1 } }],
    ['an alternate address that is none', { ...WELCOME, alternateAddress: 'fe80::1%eth0' }],
    [
      'a long password',
      { ...WELCOME, credentials: { ...WELCOME.credentials, password: 'x'.repeat(128) } },
    ],
    ['an unknown error', { type: 'error', code: 'oops', message: 'x' }],
    ['an unknown reason', { type: 'peer-left', peer: PEER.peer, reason: 'x' }],
  ])('is refused with %s', (_what, value) => {
    expect(() => decodeServerMessage(JSON.stringify(value))).toThrow(
      expect.objectContaining({ code: 'invalid-message' }),
    );
  });

  it('is read when it is right', () => {
    expect(decodeServerMessage(JSON.stringify(WELCOME))).toEqual(WELCOME);
    expect(decodeServerMessage(JSON.stringify(PEER))).toEqual({
      ...PEER,
      pairKey: new Uint8Array(32),
    });
  });
});

describe('encodeSignalling', () => {
  it("takes keys that are Node's buffers", () => {
    const pairs = [{ clientTag: JOIN.client, pairKey: Buffer.alloc(32, 1) }];
    const text = encodeSignalling({ ...JOIN, type: 'join', kind: 'terminal', pairs });
    expect(decodeClientMessage(text)).toMatchObject({
      pairs: [{ pairKey: new Uint8Array(32).fill(1) }],
    });
  });

  const refused = expect.objectContaining({ code: 'invalid-argument' });

  it('refuses what no decoder would take', () => {
    const encode = (value: object) => () =>
      encodeSignalling({ ...SIGNAL, type: 'signal', data: value as Record<string, unknown> });
    expect(encode(nested(MAX_SIGNAL_DEPTH + 1))).toThrow(refused);
    expect(encode({ x: 'x'.repeat(MAX_SIGNALLING_BYTES) })).toThrow(refused);
    expect(encode({ x: 1n })).toThrow(refused);
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    expect(encode(circle)).toThrow(refused);
  });
});

it('names of pools and members are short texts without control characters', () => {
  for (const isName of [isPoolName, isMemberName]) {
    expect(isName('100')).toBe(true);
    expect(isName('Räuber & Gendarm 👮')).toBe(true);
    for (const bad of ['', 'a\nb', '\u0000', '\u009b', '\udc00', 'x'.repeat(65)]) {
      expect(isName(bad)).toBe(false);
    }
  }
  // The chat names members in frames of bytes.
  expect(isMemberName('Я'.repeat(32))).toBe(true);
  expect(isMemberName('Я'.repeat(33))).toBe(false);
});

function expectRefusalOnly(decode: () => unknown): void {
  readOrRefuse(decode);
}

function readOrRefuse<T>(decode: () => T): T | undefined {
  try {
    return decode();
  } catch (error) {
    expect(error).toMatchObject({ name: 'NatPunchError', code: 'invalid-message' });
    return undefined;
  }
}

function pair(): object {
  return { clientTag: JOIN.client, pairKey: '00'.repeat(32) };
}

function nested(depth: number): object {
  let value = {};
  for (let level = 1; level < depth; level++) value = { value };
  return value;
}
