import { type BencodeInput, decode, encode, rawBencode } from '@bt/bencode';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeMessage } from '../src/decode.ts';
import {
  type QueryArguments,
  type ResponseFields,
  writeError,
  writeQuery,
  writeResponse,
} from '../src/encode.ts';
import { KRPC_ERROR } from '../src/errors.ts';
import { Message, type Method } from '../src/message.ts';
import { id, ids, received, text } from './bytes.ts';

const target = new Uint8Array(3000);
const written = (end: number, offset = 0) => target.slice(offset, end);
const ascii = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const ALPHA = { id: text('abcdefghij0123456789') };
const PING = received('d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe');

describe('BEP 5: example packets', () => {
  const query = (method: Method, args: QueryArguments) =>
    ascii(written(writeQuery(target, 0, ALPHA, text('aa'), method, args)));
  const infoHash = text('mnopqrstuvwxyz123456');

  it('queries', () => {
    expect(query('ping', {})).toBe('d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe');
    expect(query('find_node', { target: infoHash })).toBe(
      'd1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz123456e1:q9:find_node1:t2:aa1:y1:qe',
    );
    expect(query('get_peers', { infoHash })).toBe(
      'd1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz123456e1:q9:get_peers1:t2:aa1:y1:qe',
    );
    expect(
      query('announce_peer', { infoHash, impliedPort: true, port: 6881, token: text('aoeusnth') }),
    ).toBe(
      'd1:ad2:id20:abcdefghij012345678912:implied_porti1e9:info_hash20:mnopqrstuvwxyz1234564:porti6881e5:token8:aoeusnthe1:q13:announce_peer1:t2:aa1:y1:qe',
    );
  });

  it('responses', () => {
    const respond = (responder: string, fields: ResponseFields) =>
      ascii(written(writeResponse(target, 0, { id: text(responder) }, PING, fields)));
    expect(respond('mnopqrstuvwxyz123456', {})).toBe(
      'd1:rd2:id20:mnopqrstuvwxyz123456e1:t2:aa1:y1:re',
    );
    expect(respond('0123456789abcdefghij', { nodes: text('def456...') })).toBe(
      'd1:rd2:id20:0123456789abcdefghij5:nodes9:def456...e1:t2:aa1:y1:re',
    );
    expect(
      respond('abcdefghij0123456789', { token: text('aoeusnth'), values: text('axje.uidhtnm') }),
    ).toBe(
      'd1:rd2:id20:abcdefghij01234567895:token8:aoeusnth6:valuesl6:axje.u6:idhtnmee1:t2:aa1:y1:re',
    );
  });

  it('an error', () => {
    expect(ascii(written(writeError(target, 0, ALPHA, PING, 201, 'A Generic Error Ocurred')))).toBe(
      'd1:eli201e23:A Generic Error Ocurrede1:t2:aa1:y1:ee',
    );
  });
});

const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const bytesOf = (minLength: number, maxLength = minLength) =>
  fc.uint8Array({ minLength, maxLength });
const flag = fc.constantFrom(undefined, true);
const sequence = fc.bigInt(0n, 2n ** 63n - 1n);
const one = (value: boolean | undefined) => (value ? 1 : undefined);
const raw = (value: Uint8Array | undefined) => value && rawBencode(value);
const list = (bytes: Uint8Array, length: number) =>
  Array.from({ length: bytes.length / length }, (_, i) =>
    bytes.subarray(i * length, (i + 1) * length),
  );
const senders = fc.record({ id: ids, version: optional(bytesOf(4)), readOnly: flag });
const bencoded = fc.uint8Array({ maxLength: 200 }).map((bytes) => encode([bytes, 7]));

const queryArguments: fc.Arbitrary<QueryArguments> = fc.record({
  target: optional(ids),
  infoHash: optional(ids),
  wantsIpv4: flag,
  wantsIpv6: flag,
  port: optional(fc.nat(65535)),
  impliedPort: flag,
  seed: flag,
  scrape: flag,
  noSeed: flag,
  token: optional(bytesOf(1, 64)),
  value: optional(bencoded),
  publicKey: optional(bytesOf(32)),
  signature: optional(bytesOf(64)),
  salt: optional(bytesOf(0, 64)),
  sequence: optional(sequence),
  compareSequence: optional(sequence),
});

const responseFields: fc.Arbitrary<ResponseFields> = fc.record({
  nodes: optional(fc.nat(8).chain((n) => bytesOf(26 * n))),
  nodes6: optional(fc.nat(8).chain((n) => bytesOf(38 * n))),
  token: optional(bytesOf(8)),
  values: optional(fc.integer({ min: 1, max: 20 }).chain((n) => bytesOf(18 * n))),
  valueBytes: fc.constantFrom(6 as const, 18 as const),
  seedFilter: optional(bytesOf(256)),
  peerFilter: optional(bytesOf(256)),
  intervalSeconds: optional(fc.nat(21_600)),
  hashCount: optional(fc.nat(1_000_000)),
  samples: optional(fc.nat(20).chain((n) => bytesOf(20 * n))),
  value: optional(bencoded),
  publicKey: optional(bytesOf(32)),
  signature: optional(bytesOf(64)),
  sequence: optional(sequence),
});

const reference = (fields: ResponseFields, senderId: Uint8Array): BencodeInput => ({
  BFpe: fields.peerFilter,
  BFsd: fields.seedFilter,
  id: senderId,
  interval: fields.intervalSeconds,
  k: fields.publicKey,
  nodes: fields.nodes,
  nodes6: fields.nodes6,
  num: fields.hashCount,
  samples: fields.samples,
  seq: fields.sequence,
  sig: fields.signature,
  token: fields.token,
  v: raw(fields.value),
  values: fields.values && list(fields.values, fields.valueBytes ?? 6),
});

describe('bytes are those of a general encoder', () => {
  it('for queries', () => {
    fc.assert(
      fc.property(
        senders,
        bytesOf(0, 20),
        fc.constantFrom<Method>('ping', 'get_peers', 'sample_infohashes'),
        queryArguments,
        fc.nat(100),
        (sender, transaction, method, args, offset) => {
          const end = writeQuery(target, offset, sender, transaction, method, args);
          const want = [...(args.wantsIpv4 ? ['n4'] : []), ...(args.wantsIpv6 ? ['n6'] : [])];
          const expected = encode({
            a: {
              cas: args.compareSequence,
              id: sender.id,
              implied_port: one(args.impliedPort),
              info_hash: args.infoHash,
              k: args.publicKey,
              noseed: one(args.noSeed),
              port: args.port,
              salt: args.salt?.length === 0 ? undefined : args.salt,
              scrape: one(args.scrape),
              seed: one(args.seed),
              seq: args.sequence,
              sig: args.signature,
              target: args.target,
              token: args.token,
              v: raw(args.value),
              want: want.length === 0 ? undefined : want,
            },
            q: method,
            ro: one(sender.readOnly),
            t: transaction,
            v: sender.version,
            y: 'q',
          });
          expect(written(end, offset)).toEqual(expected);
        },
      ),
    );
  });

  it('for responses', () => {
    fc.assert(
      fc.property(
        senders,
        optional(fc.constantFrom(6, 18).chain((n) => bytesOf(n))),
        responseFields,
        (sender, ip, fields) => {
          const end = writeResponse(target, 0, sender, PING, fields, ip, Number.MAX_VALUE);
          const expected = encode({
            ip,
            r: reference(fields, sender.id),
            t: 'aa',
            v: sender.version,
            y: 'r',
          });
          expect(written(end)).toEqual(expected);
        },
      ),
    );
  });

  it('for errors', () => {
    fc.assert(
      fc.property(
        senders,
        optional(bytesOf(6)),
        fc.constantFrom(...Object.values(KRPC_ERROR)),
        fc.string({ unit: 'grapheme-ascii', maxLength: 128 }),
        (sender, ip, code, said) => {
          const end = writeError(target, 0, sender, PING, code, said, ip);
          expect(written(end)).toEqual(
            encode({ e: [code, said], ip, t: 'aa', v: sender.version, y: 'e' }),
          );
        },
      ),
    );
  });
});

describe('a response', () => {
  it('keeps to the limit, cutting peers first, then nodes6, then nodes', () => {
    fc.assert(
      fc.property(
        senders,
        optional(bytesOf(18)),
        responseFields,
        fc.integer({ min: 700, max: 1500 }),
        (sender, ip, all, maxBytes) => {
          // Without the filters there is room for the rest; without numbers the bound is close.
          const fields: ResponseFields = {
            ...all,
            seedFilter: undefined,
            peerFilter: undefined,
            samples: undefined,
            sequence: undefined,
            hashCount: undefined,
            intervalSeconds: undefined,
          };
          const end = writeResponse(target, 0, sender, PING, fields, ip, maxBytes);
          expect(end).toBeLessThanOrEqual(maxBytes);
          const message = new Message();
          expect(decodeMessage(written(end), message)).toBe('ok');
          const { nodes, nodes6, values, valueBytes = 6 } = fields;
          const cutNodes = (nodes?.length ?? 0) - message.nodesLength;
          const cutNodes6 = (nodes6?.length ?? 0) - message.nodes6Length;
          const stringBytes = valueBytes === 6 ? 8 : 21;
          const cutPeers = (values?.length ?? 0) / valueBytes - message.valuesLength / stringBytes;
          // What was cut would not have fitted: the bound may be 20 bytes above the length.
          if (cutPeers > 0) expect(end + stringBytes + 30).toBeGreaterThan(maxBytes);
          if (cutNodes6 > 0) expect(end + 38 + 30).toBeGreaterThan(maxBytes);
          if (cutNodes > 0) expect(end + 26 + 30).toBeGreaterThan(maxBytes);
        },
      ),
    );
  });

  it('has no more than 10 times the bytes of its query, nor more than 1,400', () => {
    const lengthOf = (query: Message) =>
      writeResponse(target, 0, ALPHA, query, {
        nodes: new Uint8Array(208),
        nodes6: new Uint8Array(304),
        values: new Uint8Array(6 * 500),
      });
    expect(PING.bytes).toHaveLength(56);
    expect(lengthOf(PING)).toBeLessThanOrEqual(560);
    expect(lengthOf(PING)).toBeGreaterThan(530);
    const long = received({
      t: 'x'.repeat(20),
      y: 'q',
      q: 'ping',
      a: { id: id(2) },
      x: 'x'.repeat(200),
    });
    expect(lengthOf(long)).toBeLessThanOrEqual(1400);
    expect(lengthOf(long)).toBeGreaterThan(1370);
  });

  it('with the largest item and 8 nodes of each family fits 1,400 bytes', () => {
    const sender = { id: id(1), version: text('BT01') };
    const query = received({ t: 'x'.repeat(20), y: 'q', q: 'ping', a: { id: id(2) } });
    const end = writeResponse(
      target,
      0,
      sender,
      query,
      {
        nodes: new Uint8Array(208),
        nodes6: new Uint8Array(304),
        token: new Uint8Array(8),
        value: encode('x'.repeat(996)),
        publicKey: new Uint8Array(32),
        signature: new Uint8Array(64),
        sequence: 2n ** 63n - 1n,
      },
      new Uint8Array(18),
      1400,
    );
    expect(end).toBeLessThanOrEqual(1400);
    const message = new Message();
    expect(decodeMessage(written(end), message)).toBe('ok');
    expect([message.valueLength, message.nodesLength]).toEqual([1000, 4 * 26]);
  });

  it('without peers has no list of them', () => {
    const end = writeResponse(target, 0, ALPHA, PING, { values: new Uint8Array() });
    expect(received(ascii(written(end))).valuesAt).toBe(-1);
  });
});

describe('a query', () => {
  it('comes through the decoder', () => {
    fc.assert(
      fc.property(senders, bytesOf(1, 20), queryArguments, (sender, transaction, args) => {
        // An info-hash and a target at once make no query.
        const one = args.target ? { ...args, infoHash: undefined } : args;
        const message = new Message();
        const bytes = written(writeQuery(target, 0, sender, transaction, 'ping', one));
        expect(decodeMessage(bytes, message)).toBe('ok');
        const part = (at: number, length: number) =>
          at < 0 ? undefined : Uint8Array.from(message.view(at, length));
        expect(part(message.transactionAt, message.transactionLength)).toEqual(transaction);
        expect(part(message.versionAt, message.versionLength)).toEqual(sender.version);
        expect(part(message.idAt, 20)).toEqual(sender.id);
        expect(part(message.targetAt, 20)).toEqual(one.target ?? one.infoHash);
        expect(part(message.tokenAt, message.tokenLength)).toEqual(one.token);
        expect(part(message.valueAt, message.valueLength)).toEqual(one.value);
        expect(part(message.publicKeyAt, 32)).toEqual(one.publicKey);
        expect(part(message.signatureAt, 64)).toEqual(one.signature);
        expect(part(message.saltAt, message.saltLength) ?? new Uint8Array()).toEqual(
          one.salt ?? new Uint8Array(),
        );
        expect(message).toMatchObject({
          readOnly: sender.readOnly ?? false,
          wantsIpv4: one.wantsIpv4 ?? false,
          wantsIpv6: one.wantsIpv6 ?? false,
          port: one.port ?? 0,
          impliedPort: one.impliedPort ?? false,
          seed: one.seed ?? false,
          scrape: one.scrape ?? false,
          noSeed: one.noSeed ?? false,
          sequence: one.sequence,
          compareSequence: one.compareSequence,
        });
      }),
    );
  });

  it('of the largest item fits a datagram', () => {
    const end = writeQuery(
      target,
      0,
      { id: id(1), version: text('BT01'), readOnly: true },
      new Uint8Array(20),
      'put',
      {
        value: encode('x'.repeat(996)),
        token: new Uint8Array(64),
        publicKey: new Uint8Array(32),
        signature: new Uint8Array(64),
        salt: new Uint8Array(64),
        sequence: 2n ** 63n - 1n,
        compareSequence: 2n ** 63n - 1n,
      },
    );
    expect(end).toBeLessThanOrEqual(1500);
    expect(decode(written(end))).toBeDefined();
  });
});

it('an error says 128 characters at most', () => {
  const end = writeError(target, 0, ALPHA, PING, 203, 'x'.repeat(1000));
  const message = received(ascii(written(end)));
  expect([message.errorCode, message.errorTextLength]).toEqual([203, 128]);
});
