import { type BencodeInput, encode } from '@bt/bencode';
import { createRandom } from '@bt/simulator';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeMessage } from '../src/decode.ts';
import { KRPC_ERROR } from '../src/errors.ts';
import { Message } from '../src/message.ts';
import { id, received, text, toHex } from './bytes.ts';

const ascii = (message: Message, at: number, length: number) =>
  new TextDecoder().decode(message.view(at, length));

/** The outcome, and the code and reason of a refusal. */
function judge(input: string | BencodeInput): [string, number, string] {
  const message = new Message();
  const bytes = typeof input === 'string' ? text(input) : encode(input);
  const outcome = decodeMessage(bytes, message);
  return [outcome, message.errorCode, message.reason];
}

const query = (q: BencodeInput, a: BencodeInput, more: object = {}): BencodeInput => ({
  t: 'aa',
  y: 'q',
  q,
  a,
  ...more,
});
const response = (r: BencodeInput, more: object = {}): BencodeInput => ({
  t: 'aa',
  y: 'r',
  r,
  ...more,
});

describe('BEP 5: example packets', () => {
  it('a ping', () => {
    const message = received('d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe');
    expect(message).toMatchObject({ type: 'query', method: 'ping', readOnly: false, targetAt: -1 });
    expect(ascii(message, message.idAt, 20)).toBe('abcdefghij0123456789');
    expect(ascii(message, message.transactionAt, message.transactionLength)).toBe('aa');
  });

  it('find_node', () => {
    const message = received(
      'd1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz123456e1:q9:find_node1:t2:aa1:y1:qe',
    );
    expect(message.method).toBe('find_node');
    expect(ascii(message, message.targetAt, 20)).toBe('mnopqrstuvwxyz123456');
  });

  it('get_peers', () => {
    const message = received(
      'd1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz123456e1:q9:get_peers1:t2:aa1:y1:qe',
    );
    expect(message.method).toBe('get_peers');
    expect(ascii(message, message.targetAt, 20)).toBe('mnopqrstuvwxyz123456');
  });

  it('get_peers, the response with peers', () => {
    const message = received(
      'd1:rd2:id20:abcdefghij01234567895:token8:aoeusnth6:valuesl6:axje.u6:idhtnmee1:t2:aa1:y1:re',
    );
    expect(message.type).toBe('response');
    expect(ascii(message, message.tokenAt, message.tokenLength)).toBe('aoeusnth');
    expect(ascii(message, message.valuesAt, message.valuesLength)).toBe('6:axje.u6:idhtnm');
  });

  it('announce_peer', () => {
    const message = received(
      'd1:ad2:id20:abcdefghij012345678912:implied_porti1e9:info_hash20:mnopqrstuvwxyz1234564:porti6881e5:token8:aoeusnthe1:q13:announce_peer1:t2:aa1:y1:qe',
    );
    expect(message).toMatchObject({ method: 'announce_peer', impliedPort: true, port: 6881 });
    expect(ascii(message, message.targetAt, 20)).toBe('mnopqrstuvwxyz123456');
    expect(ascii(message, message.tokenAt, message.tokenLength)).toBe('aoeusnth');
  });

  it('an error', () => {
    const message = received('d1:eli201e23:A Generic Error Ocurrede1:t2:aa1:y1:ee');
    expect(message).toMatchObject({ type: 'error', errorCode: 201 });
    expect(ascii(message, message.errorTextAt, message.errorTextLength)).toBe(
      'A Generic Error Ocurred',
    );
  });
});

describe('the fields of', () => {
  it('BEP 32: want, nodes6, values of both families', () => {
    const wants = (want: BencodeInput) => {
      const { wantsIpv4, wantsIpv6 } = received(
        query('find_node', { id: id(1), target: id(2), want }),
      );
      return [wantsIpv4, wantsIpv6];
    };
    expect(wants(['n4'])).toEqual([true, false]);
    expect(wants(['n6'])).toEqual([false, true]);
    expect(wants(['n8', 4, ['n4'], 'n6', 'n4'])).toEqual([true, true]);
    expect(wants([['n4'], 'n', 'n44'])).toEqual([false, false]);
    expect(wants('n4')).toEqual([false, false]);

    const answer = received(
      response({
        id: id(1),
        nodes: new Uint8Array(52),
        nodes6: new Uint8Array(76),
        values: [new Uint8Array(6), new Uint8Array(18)],
      }),
    );
    expect(answer).toMatchObject({ nodesLength: 52, nodes6Length: 76, valuesLength: 29 });
    expect(answer.bytes[answer.nodesAt - 1]).toBe(0x3a);
  });

  it('BEP 33: noseed, scrape, seed and the filters', () => {
    expect(
      received(query('get_peers', { id: id(1), info_hash: id(2), noseed: 1, scrape: 1 })),
    ).toMatchObject({ noSeed: true, scrape: true, seed: false });
    expect(
      received(
        query('announce_peer', { id: id(1), info_hash: id(2), port: 1, seed: 1, token: 't' }),
      ),
    ).toMatchObject({ noSeed: false, scrape: false, seed: true });
    expect(
      received(query('get_peers', { id: id(1), info_hash: id(2), noseed: 0, scrape: -1 })),
    ).toMatchObject({ noSeed: false, scrape: false });

    const filters = received(
      response({ id: id(1), BFpe: new Uint8Array(256).fill(1), BFsd: new Uint8Array(256).fill(2) }),
    );
    expect(filters.bytes[filters.peerFilterAt]).toBe(1);
    expect(filters.bytes[filters.seedFilterAt]).toBe(2);
    expect(received(response({ id: id(1), BFpe: new Uint8Array(255), BFsd: 1 }))).toMatchObject({
      peerFilterAt: -1,
      seedFilterAt: -1,
    });
  });

  it('BEP 42: ip; the name of a client', () => {
    const message = received(response({ id: id(1) }, { ip: 'abcdef', v: 'LT\x01\x02' }));
    expect(ascii(message, message.ipAt, message.ipLength)).toBe('abcdef');
    expect(ascii(message, message.versionAt, message.versionLength)).toBe('LT\x01\x02');
    expect(received(response({ id: id(1) }, { ip: new Uint8Array(18) })).ipLength).toBe(18);
    expect(received(response({ id: id(1) }, { ip: 'abcd', v: 1 }))).toMatchObject({
      ipAt: -1,
      versionAt: -1,
    });
  });

  it('BEP 43: ro', () => {
    const readOnly = (ro: BencodeInput) => received(query('ping', { id: id(1) }, { ro })).readOnly;
    expect([readOnly(1), readOnly(0), readOnly('1')]).toEqual([true, false, false]);
  });

  it('BEP 44: get, put and the response', () => {
    expect(received(query('get', { id: id(1), seq: 4, target: id(2) })).sequence).toBe(4n);
    const put = received(
      query('put', {
        id: id(1),
        cas: 3,
        k: new Uint8Array(32).fill(1),
        salt: 'foobar',
        seq: 2n ** 63n - 1n,
        sig: new Uint8Array(64).fill(2),
        token: 'token',
        v: { a: ['Hello world!'] },
      }),
    );
    expect(put).toMatchObject({ method: 'put', sequence: 2n ** 63n - 1n, compareSequence: 3n });
    expect(ascii(put, put.saltAt, put.saltLength)).toBe('foobar');
    expect(ascii(put, put.valueAt, put.valueLength)).toBe('d1:al12:Hello world!ee');
    expect([put.bytes[put.publicKeyAt], put.bytes[put.signatureAt]]).toEqual([1, 2]);
    expect(received(query('put', { id: id(1), token: 'token', v: '' }))).toMatchObject({
      valueLength: 2,
      publicKeyAt: -1,
      sequence: undefined,
    });
  });

  it('BEP 51: interval, num, samples', () => {
    expect(
      received(response({ id: id(1), interval: 300, num: 12, samples: new Uint8Array(60) })),
    ).toMatchObject({ intervalSeconds: 300, hashCount: 12, samplesLength: 60 });
    expect(
      received(response({ id: id(1), interval: 1e9, num: -5, samples: new Uint8Array(61) })),
    ).toMatchObject({ intervalSeconds: 21_600, hashCount: -1, samplesAt: -1 });
    expect(received(response({ id: id(1), samples: '' })).samplesAt).toBeGreaterThan(0);
  });
});

describe('lenience', () => {
  it('takes keys in any order, unknown ones, and bytes behind the message', () => {
    const message = received(
      'd1:y1:q1:t1:z4:junkd1:xli-3ei007e0:ee1:q9:get_peers1:ad9:info_hash20:mnopqrstuvwxyz1234561:zle2:id20:abcdefghij0123456789eetrailing',
    );
    expect(message.method).toBe('get_peers');
    expect(ascii(message, message.idAt, 20)).toBe('abcdefghij0123456789');
  });

  it('counts a field of a wrong type or length as absent', () => {
    expect(
      received(
        response({ id: id(1), nodes: new Uint8Array(25), nodes6: 7, token: '', values: 'abcdef' }),
      ),
    ).toMatchObject({ nodesAt: -1, nodes6At: -1, tokenAt: -1, valuesAt: -1 });
    expect(received(response({ id: id(1), values: ['abcdef', 7] })).valuesAt).toBe(-1);
    expect(received(response({ id: id(1), token: new Uint8Array(65) })).tokenAt).toBe(-1);
    expect(received(response({ id: id(1), token: new Uint8Array(64) })).tokenLength).toBe(64);
  });

  it('takes an error of any shape', () => {
    for (const [e, code, length] of [
      [[], 201, 0],
      ['no', 201, 0],
      [['no'], 201, 0],
      [[-1, 'no'], 201, 2],
      [[203], 203, 0],
      [[204, 7], 204, 0],
      [[1e12, 'x'.repeat(500)], 0x7fffffff, 128],
      [{ a: 1 }, 201, 0],
    ] as const) {
      expect(received({ t: 'aa', y: 'e', e })).toMatchObject({
        type: 'error',
        errorCode: code,
        errorTextLength: length,
      });
    }
  });

  it('lets an empty transaction id through', () => {
    expect(received({ ...(query('ping', { id: id(1) }) as object), t: '' }).transactionLength).toBe(
      0,
    );
  });
});

describe('refused', () => {
  const { protocol, methodUnknown, valueTooBig, saltTooBig } = KRPC_ERROR;
  const put = { id: id(1), token: 't', v: 'x' };
  const mutable = {
    ...put,
    k: new Uint8Array(32),
    seq: 1,
    sig: new Uint8Array(64),
  };
  const announce = { id: id(1), info_hash: id(2), port: 6881, token: 't' };

  it.each<[string, BencodeInput, number, string]>([
    [
      'an unknown method',
      query('vote', { id: id(1), target: id(2) }),
      methodUnknown,
      'unknown method',
    ],
    ['one as long as a known one', query('pong', {}), methodUnknown, 'unknown method'],
    ['no method', { t: 'aa', y: 'q', a: {} }, protocol, 'no method'],
    ['a method that is no string', query(7, { id: id(1) }), protocol, 'no method'],
    ['no arguments', { t: 'aa', y: 'q', q: 'ping' }, protocol, 'no arguments'],
    [
      'results in the place of arguments',
      { t: 'aa', y: 'q', q: 'ping', r: { id: id(1) } },
      protocol,
      'no arguments',
    ],
    ['arguments that are a list', query('ping', [id(1)]), protocol, 'no arguments'],
    ['a ping without id', query('ping', {}), protocol, 'no valid id'],
    ['an id of 19 bytes', query('ping', { id: id(1).subarray(1) }), protocol, 'no valid id'],
    ['an id that is a number', query('ping', { id: 1 }), protocol, 'no valid id'],
    ['find_node without target', query('find_node', { id: id(1) }), protocol, 'no valid target'],
    [
      'get_peers for a list (npm bittorrent-dht 11.0.12 dies of it)',
      query('get_peers', { id: id(1), info_hash: [id(2)] }),
      protocol,
      'no valid info_hash',
    ],
    [
      'get for 21 bytes',
      query('get', { id: id(1), target: new Uint8Array(21) }),
      protocol,
      'no valid target',
    ],
    [
      'a sample without target',
      query('sample_infohashes', { id: id(1) }),
      protocol,
      'no valid target',
    ],
    [
      'announce without token',
      query('announce_peer', { ...announce, token: undefined }),
      protocol,
      'no valid token',
    ],
    [
      'announce with a long token',
      query('announce_peer', { ...announce, token: new Uint8Array(65) }),
      protocol,
      'no valid token',
    ],
    [
      'announce without port',
      query('announce_peer', { ...announce, port: undefined }),
      protocol,
      'no valid port',
    ],
    [
      'announce of port 0',
      query('announce_peer', { ...announce, port: 0 }),
      protocol,
      'no valid port',
    ],
    [
      'announce of port 65536',
      query('announce_peer', { ...announce, port: 65536 }),
      protocol,
      'no valid port',
    ],
    [
      'announce of port -1',
      query('announce_peer', { ...announce, port: -1 }),
      protocol,
      'no valid port',
    ],
    [
      'announce of port "80"',
      query('announce_peer', { ...announce, port: '80' }),
      protocol,
      'no valid port',
    ],
    ['put without token', query('put', { ...put, token: undefined }), protocol, 'no valid token'],
    ['put without v', query('put', { ...put, v: undefined }), protocol, 'no v'],
    ['put of 1001 bytes', query('put', { ...put, v: 'x'.repeat(997) }), valueTooBig, 'v too big'],
    [
      'put with a salt of 65',
      query('put', { ...mutable, salt: new Uint8Array(65) }),
      saltTooBig,
      'salt too big',
    ],
    [
      'put with a salt that is none',
      query('put', { ...mutable, salt: 1 }),
      protocol,
      'invalid item',
    ],
    [
      'put with a short key',
      query('put', { ...mutable, k: new Uint8Array(31) }),
      protocol,
      'invalid item',
    ],
    [
      'put with a long signature',
      query('put', { ...mutable, sig: new Uint8Array(65) }),
      protocol,
      'invalid item',
    ],
    ['put with seq -1', query('put', { ...mutable, seq: -1 }), protocol, 'invalid item'],
    ['put with seq 2^63', query('put', { ...mutable, seq: 2n ** 63n }), protocol, 'invalid item'],
    [
      'put with cas of a wrong type',
      query('put', { ...mutable, cas: 'x' }),
      protocol,
      'invalid item',
    ],
    [
      'put without k',
      query('put', { ...mutable, k: undefined }),
      protocol,
      'a mutable item needs k, seq and sig',
    ],
    [
      'put without sig',
      query('put', { ...mutable, sig: undefined }),
      protocol,
      'a mutable item needs k, seq and sig',
    ],
    [
      'put without seq',
      query('put', { ...mutable, seq: undefined }),
      protocol,
      'a mutable item needs k, seq and sig',
    ],
  ])('%s', (_, input, code, reason) => {
    const message = new Message();
    expect([decodeMessage(encode(input), message), message.errorCode, message.reason]).toEqual([
      'refuse',
      code,
      reason,
    ]);
    expect(ascii(message, message.transactionAt, message.transactionLength)).toBe('aa');
  });

  it('nothing of that when it is whole', () => {
    expect(judge(query('put', mutable))[0]).toBe('ok');
    expect(judge(query('put', { ...mutable, salt: new Uint8Array(64), cas: 0 }))[0]).toBe('ok');
    expect(judge(query('put', { ...put, v: 'x'.repeat(996) }))[0]).toBe('ok');
    expect(judge(query('announce_peer', announce))[0]).toBe('ok');
    expect(judge(query('announce_peer', { ...announce, port: 0, implied_port: 1 }))[0]).toBe('ok');
  });
});

describe('dropped', () => {
  it.each<[string, string | BencodeInput]>([
    ['nothing', ''],
    ['a list', ['q']],
    ['no transaction id', { y: 'q', q: 'ping', a: { id: id(1) } }],
    ['one that is a number', { t: 7, y: 'q', q: 'ping', a: { id: id(1) } }],
    ['one of 21 bytes', { ...(query('ping', { id: id(1) }) as object), t: 'x'.repeat(21) }],
    ['no type', { t: 'aa', q: 'ping', a: { id: id(1) } }],
    ['another type', { t: 'aa', y: 'x' }],
    ['a type of two letters', { t: 'aa', y: 'qq', q: 'ping', a: { id: id(1) } }],
    ['a response without results', { t: 'aa', y: 'r' }],
    ['a response with arguments', { t: 'aa', y: 'r', a: { id: id(1) } }],
    ['a response without id', response({ nodes: '' })],
    ['arguments and results at once', response({ id: id(1) }, { a: { id: id(2) } })],
    ['a key for the second time', 'd1:t2:aa1:t2:bb1:y1:r1:rd2:id20:abcdefghij0123456789ee'],
    [
      'a field for the second time',
      'd1:rd2:id20:abcdefghij01234567892:id20:abcdefghij0123456789e1:t2:aa1:y1:re',
    ],
    [
      'target and info_hash at once',
      query('get_peers', { id: id(1), info_hash: id(2), target: id(3) }),
    ],
    ['a key that is a number', 'd1:t2:aai1e1:x1:y1:q1:q4:ping1:ade'],
    ['a key of a field that is a number', 'd1:adi1e1:xe1:q4:ping1:t2:aa1:y1:qe'],
    ['a key without a value', 'd1:t2:aa1:y1:q1:ade1:q4:ping1:ze'],
    ['a length beyond the end', 'd1:t2:aa1:y1:q1:ade1:q9999999999999999:ping'],
    ['a length that is none', 'd1:t2:aa1:y1:q1:q4x:pinge'],
    ['an integer without digits', 'd1:t2:aa1:y1:q1:xiee'],
    ['an integer of a minus', 'd1:t2:aa1:y1:q1:xi-ee'],
    ['an integer with a letter', 'd1:t2:aa1:y1:q1:xi4xee'],
  ])('%s', (_, input) => {
    expect(judge(input)[0]).toBe('drop');
  });

  it('more than 1,500 bytes', () => {
    const padded = (length: number) => {
      const bytes = new Uint8Array(length);
      bytes.set(encode(query('ping', { id: id(1) })));
      return bytes;
    };
    expect(decodeMessage(padded(1500), new Message())).toBe('ok');
    expect(decodeMessage(padded(1501), new Message())).toBe('drop');
  });

  it('every message that is cut short', () => {
    const whole = encode(
      query('put', {
        id: id(1),
        k: new Uint8Array(32),
        seq: 1,
        sig: new Uint8Array(64),
        token: 't',
        v: { a: [1, 'x', {}] },
      }),
    );
    for (let length = 0; length < whole.length; length++) {
      expect(decodeMessage(whole.subarray(0, length), new Message())).toBe('drop');
    }
  });

  it('what is nested to the end of the datagram', () => {
    for (const letter of ['l', 'd1:x']) {
      const open = `d1:t2:aa1:y1:q1:x${letter.repeat(1480)}`.slice(0, 1500);
      expect(judge(open)[0]).toBe('drop');
    }
    expect(
      judge(
        `d1:ad2:id20:${'x'.repeat(20)}e1:q4:ping1:t2:aa1:x${'l'.repeat(700)}${'e'.repeat(700)}1:y1:qe`,
      )[0],
    ).toBe('ok');
  });
});

/** Whatever the outcome, every place of a message lies in the datagram. */
function checkPlaces(message: Message): void {
  const { length } = message.bytes;
  const places: [number, number][] = [
    [message.transactionAt, message.transactionLength],
    [message.versionAt, message.versionLength],
    [message.ipAt, message.ipLength],
    [message.idAt, 20],
    [message.targetAt, 20],
    [message.tokenAt, message.tokenLength],
    [message.valueAt, message.valueLength],
    [message.publicKeyAt, 32],
    [message.signatureAt, 64],
    [message.saltAt, message.saltLength],
    [message.nodesAt, message.nodesLength],
    [message.nodes6At, message.nodes6Length],
    [message.valuesAt, message.valuesLength],
    [message.seedFilterAt, 256],
    [message.peerFilterAt, 256],
    [message.samplesAt, message.samplesLength],
    [message.errorTextAt, message.errorTextLength],
  ];
  for (const [at, size] of places) {
    if (at !== -1 && !(at > 0 && size >= 0 && at + size <= length)) {
      throw new Error(`${at} + ${size} of ${length}: ${toHex(message.bytes)}`);
    }
  }
}

const SAMPLES: BencodeInput[] = [
  query('ping', { id: id(1) }, { ro: 1, v: 'LT01' }),
  query('find_node', { id: id(1), target: id(2), want: ['n4', 'n6'] }),
  query('get_peers', { id: id(1), info_hash: id(2), noseed: 1, scrape: 1 }),
  query('announce_peer', {
    id: id(1),
    info_hash: id(2),
    implied_port: 1,
    port: 6881,
    seed: 1,
    token: 'token',
  }),
  query('put', {
    id: id(1),
    cas: 1,
    k: new Uint8Array(32),
    salt: 's',
    seq: 1,
    sig: new Uint8Array(64),
    token: 't',
    v: { a: [1] },
  }),
  query('sample_infohashes', { id: id(1), target: id(2) }),
  response(
    {
      id: id(1),
      nodes: new Uint8Array(52),
      nodes6: new Uint8Array(38),
      token: 'token',
      values: ['abcdef', new Uint8Array(18)],
    },
    { ip: 'abcdef' },
  ),
  response({
    id: id(1),
    interval: 10,
    num: 3,
    samples: new Uint8Array(40),
    BFpe: new Uint8Array(256),
    BFsd: new Uint8Array(256),
  }),
  { t: 'aa', y: 'e', e: [203, 'no'] },
];

describe('never throws, and names no place outside', () => {
  it('for arbitrary bytes', () => {
    const message = new Message();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        decodeMessage(bytes, message);
        checkPlaces(message);
      }),
    );
  });

  it('for arbitrary dictionaries of the known keys', () => {
    const message = new Message();
    const key = fc.constantFrom(
      ...'a e ip q r ro t v y id target info_hash port implied_port token want seed scrape noseed seq cas k sig salt nodes nodes6 values BFsd BFpe interval num samples x'.split(
        ' ',
      ),
    );
    const value = fc.letrec<{ value: BencodeInput }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 3 },
        fc.uint8Array({ maxLength: 80 }),
        fc.constantFrom('q', 'r', 'e', 'ping', 'get_peers', 'put'),
        fc.integer(),
        fc.bigInt(-(2n ** 70n), 2n ** 70n),
        fc.array(tie('value'), { maxLength: 4 }),
        fc.dictionary(key, tie('value'), { maxKeys: 8 }),
      ),
    })).value;
    fc.assert(
      fc.property(fc.dictionary(key, value, { maxKeys: 8 }), (input) => {
        decodeMessage(encode(input), message);
        checkPlaces(message);
      }),
    );
  });

  it('for 10,000 mutated packets', () => {
    const random = createRandom(1);
    const below = (n: number) => Math.floor(random() * n);
    const message = new Message();
    const outcomes = { ok: 0, refuse: 0, drop: 0 };
    const packets = SAMPLES.map((sample) => encode(sample));
    const letters = text('0123456789:ideler-');
    for (let i = 0; i < 10_000; i++) {
      const bytes = Uint8Array.from(packets[i % packets.length]!);
      for (let edits = 1 + below(3); edits > 0; edits--) {
        const at = below(bytes.length);
        const kind = below(4);
        if (kind < 2) bytes[at] = letters[below(letters.length)]!;
        else if (kind === 2) bytes[at] = below(256);
        else bytes.copyWithin(at, below(bytes.length));
      }
      const cut = random() < 0.1 ? bytes.subarray(0, below(bytes.length)) : bytes;
      outcomes[decodeMessage(cut, message)]++;
      checkPlaces(message);
    }
    for (const count of Object.values(outcomes)) expect(count).toBeGreaterThan(100);
  });
});

describe('Message', () => {
  it('is as new for each datagram', () => {
    for (const sample of SAMPLES) {
      const used = new Message();
      for (const before of SAMPLES) decodeMessage(encode(before), used);
      const fresh = new Message();
      const bytes = encode(sample);
      decodeMessage(bytes, used);
      decodeMessage(bytes, fresh);
      expect({ ...used }).toEqual({ ...fresh });
    }
  });

  it('copies out of a Buffer, whose slices are views', () => {
    const bytes = Buffer.from('d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe');
    const message = new Message();
    decodeMessage(bytes, message);
    const copy = message.copy(message.idAt, 20);
    const view = message.view(message.idAt, 20);
    bytes.fill(0);
    expect(new TextDecoder().decode(copy)).toBe('abcdefghij0123456789');
    expect(view[0]).toBe(0);
  });
});
