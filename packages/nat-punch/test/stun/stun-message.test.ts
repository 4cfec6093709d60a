import { makeEndpoint } from '@bt/endpoint';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeStunMessage,
  decodeUnknownAttributes,
  hasIntegrity,
  longTermKey,
  NatPunchError,
  STUN_ATTRIBUTE,
  STUN_METHOD,
  type StunClass,
  StunWriter,
  shortTermKey,
} from '../../src/index.ts';
import { MAX_ATTRIBUTES } from '../../src/stun/stun-message.ts';
import { fromHex } from '../support/hex.ts';
import { RFC_5769 } from './rfc-5769.ts';

const ID = Uint8Array.from({ length: 12 }, (_, i) => i + 1);
const transactionIds = fc.uint8Array({ minLength: 12, maxLength: 12 });
const ports = fc.nat(65_535);
const endpoints = fc
  .tuple(fc.oneof(fc.ipV4(), fc.ipV6()), ports)
  .map(([address, port]) => makeEndpoint(address, port)!);

describe('RFC 5769 test vectors', () => {
  it('2.1 sample request: fingerprint, short-term integrity, attributes', () => {
    const message = decodeStunMessage(RFC_5769.request)!;
    expect(message).toMatchObject({ method: STUN_METHOD.binding, class: 'request' });
    expect(message.transactionId).toEqual(fromHex('b7e7a701bc34d686fa87dfae'));
    expect(message.text(STUN_ATTRIBUTE.software)).toBe('STUN test client');
    expect(message.uint32(STUN_ATTRIBUTE.priority)).toBe(0x6e0001ff);
    expect(message.value(STUN_ATTRIBUTE.iceControlled)).toEqual(fromHex('932ff9b151263b36'));
    expect(message.text(STUN_ATTRIBUTE.username)).toBe('evtj:h6vY');
    expect(hasIntegrity(message, shortTermKey(RFC_5769.password))).toBe(true);
    expect(hasIntegrity(message, shortTermKey('another'))).toBe(false);
  });

  it.each([
    ['2.2 sample IPv4 response', RFC_5769.ipv4Response, '192.0.2.1'],
    ['2.3 sample IPv6 response', RFC_5769.ipv6Response, '2001:db8:1234:5678:11:2233:4455:6677'],
  ])('%s', (_, bytes, address) => {
    const message = decodeStunMessage(bytes)!;
    expect(message).toMatchObject({ method: STUN_METHOD.binding, class: 'success' });
    expect(message.text(STUN_ATTRIBUTE.software)).toBe('test vector');
    expect(message.xorAddress(STUN_ATTRIBUTE.xorMappedAddress)).toEqual({ address, port: 32853 });
    expect(hasIntegrity(message, shortTermKey(RFC_5769.password))).toBe(true);
    expect(message.answers(fromHex('b7e7a701bc34d686fa87dfae'))).toBe(true);
    expect(message.answers(ID)).toBe(false);
  });

  it('2.4 sample request with long-term authentication, and writes it', () => {
    const { longTermRequest: bytes, username, realm, nonce, longTermPassword } = RFC_5769;
    const key = longTermKey(username, realm, longTermPassword);
    const message = decodeStunMessage(bytes)!;
    expect(message.text(STUN_ATTRIBUTE.username)).toBe(username);
    expect(message.text(STUN_ATTRIBUTE.realm)).toBe(realm);
    expect(message.text(STUN_ATTRIBUTE.nonce)).toBe(nonce);
    expect(hasIntegrity(message, key)).toBe(true);
    const written = new StunWriter('request', STUN_METHOD.binding, message.transactionId)
      .text(STUN_ATTRIBUTE.username, username)
      .text(STUN_ATTRIBUTE.nonce, nonce)
      .text(STUN_ATTRIBUTE.realm, realm)
      .integrity('sha1', key)
      .finish();
    expect(written).toEqual(bytes);
  });

  it('each byte of the sample request is covered by its fingerprint', () => {
    for (let i = 0; i < RFC_5769.request.length; i++) {
      const bytes = RFC_5769.request.slice();
      bytes[i]! ^= 1;
      expect(decodeStunMessage(bytes)?.has(STUN_ATTRIBUTE.fingerprint) ?? false).toBe(false);
    }
  });

  it('each byte before the integrity is covered by it', () => {
    const key = longTermKey(RFC_5769.username, RFC_5769.realm, RFC_5769.longTermPassword);
    for (let i = 0; i < RFC_5769.longTermRequest.length; i++) {
      const bytes = RFC_5769.longTermRequest.slice();
      bytes[i]! ^= 1;
      const message = decodeStunMessage(bytes);
      expect(message !== undefined && hasIntegrity(message, key)).toBe(false);
    }
  });
});

describe('round trips', () => {
  it('method and class', () => {
    const classes = fc.constantFrom<StunClass[]>('request', 'indication', 'success', 'error');
    fc.assert(
      fc.property(classes, fc.nat(0xff), transactionIds, (messageClass, method, id) => {
        const message = decodeStunMessage(new StunWriter(messageClass, method, id).finish())!;
        expect(message).toMatchObject({ class: messageClass, method });
        expect(message.transactionId).toEqual(id);
      }),
    );
  });

  it('addresses, plain and mixed', () => {
    fc.assert(
      fc.property(endpoints, transactionIds, (endpoint, id) => {
        const bytes = new StunWriter('success', STUN_METHOD.binding, id)
          .address(STUN_ATTRIBUTE.mappedAddress, endpoint)
          .xorAddress(STUN_ATTRIBUTE.xorMappedAddress, endpoint)
          .xorAddress(STUN_ATTRIBUTE.xorPeerAddress, endpoint)
          .fingerprint()
          .finish();
        const message = decodeStunMessage(bytes)!;
        expect(message.address(STUN_ATTRIBUTE.mappedAddress)).toEqual(endpoint);
        expect(message.xorAddress(STUN_ATTRIBUTE.xorMappedAddress)).toEqual(endpoint);
        expect(message.xorAddresses(STUN_ATTRIBUTE.xorPeerAddress)).toEqual([
          { endpoint, family: endpoint.address.includes(':') ? 6 : 4 },
        ]);
      }),
    );
  });

  it('bytes, texts, numbers, flags, with integrity by both hashes and fingerprint', () => {
    const values = fc.uint8Array({ maxLength: 600, size: 'max' });
    const texts = fc.string({ unit: 'grapheme', maxLength: 80 });
    fc.assert(
      fc.property(values, texts, fc.nat(0xffffffff), values, (value, text, number, key) => {
        const bytes = new StunWriter('request', STUN_METHOD.allocate, ID)
          .bytes(STUN_ATTRIBUTE.data, value)
          .text(STUN_ATTRIBUTE.username, text)
          .uint32(STUN_ATTRIBUTE.lifetime, number)
          .flag(STUN_ATTRIBUTE.dontFragment)
          .integrity('sha1', key)
          .integrity('sha256', key)
          .fingerprint()
          .finish();
        const message = decodeStunMessage(bytes)!;
        expect(message.value(STUN_ATTRIBUTE.data)).toEqual(value);
        expect(message.text(STUN_ATTRIBUTE.username)).toBe(text);
        expect(message.uint32(STUN_ATTRIBUTE.lifetime)).toBe(number);
        expect(message.value(STUN_ATTRIBUTE.dontFragment)).toEqual(new Uint8Array());
        expect(hasIntegrity(message, key)).toBe(true);
        expect(hasIntegrity(message, Uint8Array.of(...key, 1))).toBe(false);
      }),
    );
  });

  it('errors and unknown attributes', () => {
    const bytes = new StunWriter('error', STUN_METHOD.allocate, ID)
      .errorCode(420, 'what\u0007 is \u202ethis')
      .unknownAttributes([0x27, 0x1a, 0x7fff])
      .finish();
    const message = decodeStunMessage(bytes)!;
    expect(message.errorCode()).toEqual({ code: 420, reason: 'what is this' });
    const unknown = message.value(STUN_ATTRIBUTE.unknownAttributes)!;
    expect(decodeUnknownAttributes(unknown)).toEqual([0x27, 0x1a, 0x7fff]);
  });
});

describe('what is no STUN message', () => {
  it('arbitrary bytes throw nothing, and whatever decodes ends where it says', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200, size: 'max' }), (bytes) => {
        const message = decodeStunMessage(bytes);
        expect(message === undefined || message.bytes === bytes).toBe(true);
      }),
    );
  });

  it('arbitrary attributes behind a right header throw nothing', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120, size: 'max' }), (body) => {
        const length = body.length & ~3;
        const bytes = new Uint8Array(20 + length);
        bytes.set(new StunWriter('request', STUN_METHOD.allocate, ID).finish());
        bytes[3] = length;
        bytes.set(body.subarray(0, length), 20);
        const message = decodeStunMessage(bytes);
        if (message === undefined) return;
        for (const type of message.attributeTypes) {
          const value = message.value(type)!;
          expect(value.byteOffset + value.length).toBeLessThanOrEqual(bytes.length);
          message.text(type);
          message.xorAddresses(type);
        }
        message.errorCode();
      }),
      { numRuns: 500 },
    );
  });

  it('every truncation and extension of a vector', () => {
    const { request } = RFC_5769;
    for (let end = 0; end < request.length; end++) {
      expect(decodeStunMessage(request.subarray(0, end))).toBeUndefined();
    }
    expect(decodeStunMessage(Uint8Array.of(...request, 0, 0, 0, 0))).toBeUndefined();
  });

  it('an attribute that runs past the end, and a fingerprint that is not the last', () => {
    const past = new StunWriter('request', STUN_METHOD.binding, ID).uint32(0x24, 1).finish();
    const longer = past.slice();
    longer[23] = 5;
    expect(decodeStunMessage(longer)).toBeUndefined();
    expect(decodeStunMessage(past)).toBeDefined();
    const writer = new StunWriter('request', STUN_METHOD.binding, ID).fingerprint().uint32(0x24, 1);
    expect(decodeStunMessage(writer.finish())).toBeUndefined();
  });

  it('a message without the magic cookie (RFC 3489)', () => {
    const bytes = new StunWriter('request', STUN_METHOD.binding, ID).finish().slice();
    bytes[4] = 0;
    expect(decodeStunMessage(bytes)).toBeUndefined();
  });

  it(`more than ${MAX_ATTRIBUTES} attributes`, () => {
    const writer = new StunWriter('request', STUN_METHOD.binding, ID);
    for (let i = 0; i < MAX_ATTRIBUTES; i++) writer.flag(0x8000);
    expect(decodeStunMessage(writer.finish())!.attributeTypes).toHaveLength(MAX_ATTRIBUTES);
    const more = new StunWriter('request', STUN_METHOD.binding, ID);
    for (let i = 0; i <= MAX_ATTRIBUTES; i++) more.flag(0x8000);
    expect(decodeStunMessage(more.finish())).toBeUndefined();
  });
});

describe('attributes', () => {
  it('behind the integrity are ignored, but for SHA-256 and the fingerprint (RFC 8489 section 14.5)', () => {
    const key = shortTermKey('key');
    const bytes = new StunWriter('request', STUN_METHOD.binding, ID)
      .text(STUN_ATTRIBUTE.username, 'alice')
      .integrity('sha1', key)
      .text(STUN_ATTRIBUTE.realm, 'smuggled')
      .integrity('sha256', key)
      .uint32(STUN_ATTRIBUTE.lifetime, 1)
      .fingerprint()
      .finish();
    expect(decodeStunMessage(bytes)!.attributeTypes).toEqual([
      STUN_ATTRIBUTE.username,
      STUN_ATTRIBUTE.messageIntegrity,
      STUN_ATTRIBUTE.messageIntegritySha256,
      STUN_ATTRIBUTE.fingerprint,
    ]);
  });

  it('are unknown when they must be understood and are not, each once', () => {
    const bytes = new StunWriter('request', STUN_METHOD.binding, ID)
      .flag(0x7000)
      .flag(0x9000)
      .flag(STUN_ATTRIBUTE.username)
      .flag(0x7000)
      .flag(0x1f)
      .finish();
    const known = new Set<number>([STUN_ATTRIBUTE.username]);
    expect(decodeStunMessage(bytes)!.unknownAttributes(known)).toEqual([0x7000, 0x1f]);
  });

  it('of a wrong length have no value: addresses, numbers, error codes', () => {
    const bytes = new StunWriter('error', STUN_METHOD.binding, ID)
      .bytes(STUN_ATTRIBUTE.xorMappedAddress, Uint8Array.of(0, 2, 0, 1, 1, 2, 3, 4))
      .bytes(STUN_ATTRIBUTE.mappedAddress, Uint8Array.of(0, 1, 0, 1, 1, 2, 3))
      .bytes(STUN_ATTRIBUTE.lifetime, Uint8Array.of(1, 2, 3))
      .bytes(STUN_ATTRIBUTE.errorCode, Uint8Array.of(0, 0, 7, 0))
      .bytes(STUN_ATTRIBUTE.username, Uint8Array.of(0xff))
      .finish();
    const message = decodeStunMessage(bytes)!;
    expect(message.xorAddress(STUN_ATTRIBUTE.xorMappedAddress)).toBeUndefined();
    expect(message.xorAddresses(STUN_ATTRIBUTE.xorMappedAddress)).toBeUndefined();
    expect(message.address(STUN_ATTRIBUTE.mappedAddress)).toBeUndefined();
    expect(message.uint32(STUN_ATTRIBUTE.lifetime)).toBeUndefined();
    expect(message.errorCode()).toBeUndefined();
    expect(message.text(STUN_ATTRIBUTE.username)).toBeUndefined();
  });
});

it('refuses what can not be written', () => {
  const writer = () => new StunWriter('request', STUN_METHOD.binding, ID);
  const bad = [
    () => new StunWriter('request', STUN_METHOD.binding, ID.subarray(1)),
    () => writer().address(STUN_ATTRIBUTE.mappedAddress, { address: 'nobody', port: 1 }),
    () => writer().address(STUN_ATTRIBUTE.mappedAddress, { address: '1.2.3.4', port: 65_536 }),
    () => writer().bytes(STUN_ATTRIBUTE.data, new Uint8Array(65_532)),
  ];
  for (const act of bad) expect(act).toThrow(NatPunchError);
});
