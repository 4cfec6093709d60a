import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GatewayRefusal, type MappingRequest } from '../../src/port-mapping/mapping.ts';
import {
  decodeAnnounceAnswer,
  decodeMapAnswer,
  encodeAnnounceRequest,
  encodeMapRequest,
} from '../../src/port-mapping/pcp.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const bytesOf = (text: string) => new Uint8Array(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'));
const nonce = bytesOf('000102030405060708090a0b');
const request: MappingRequest = {
  protocol: 'tcp',
  port: 6881,
  externalPort: 6882,
  lifetimeSeconds: 3600,
};

/** The answer to `request`, with bytes at places changed. */
function answer(changes: Record<number, number> = {}, lengthBytes = 60): Uint8Array {
  const bytes = bytesOf(`
    02 81 00 00 00000708 00000010 000000000000000000000000
    000102030405060708090a0b 06 000000 1ae1 c350
    00000000000000000000ffffcb007105`);
  for (const [index, value] of Object.entries(changes)) bytes[Number(index)] = value;
  const sized = new Uint8Array(lengthBytes);
  sized.set(bytes.subarray(0, lengthBytes));
  return sized;
}

describe('PCP', () => {
  it('RFC 6887, 7.1 and 11.1: asks for a mapping', () => {
    expect(hex(encodeMapRequest(request, '192.168.1.2', nonce))).toBe(
      '02010000' +
        '00000e10' +
        '00000000000000000000ffffc0a80102' +
        '000102030405060708090a0b' +
        '06000000' +
        '1ae11ae2' +
        '00000000000000000000ffff00000000',
    );
    const udp = encodeMapRequest({ ...request, protocol: 'udp' }, '2001:db8::1', nonce);
    expect(udp[36]).toBe(17);
    expect(hex(udp.subarray(8, 24))).toBe('20010db8000000000000000000000001');
    expect(hex(udp.subarray(44, 60))).toBe('0'.repeat(32));
  });

  it('RFC 6887, 15: removes a mapping with neither lifetime nor external port', () => {
    const bytes = encodeMapRequest({ ...request, lifetimeSeconds: 0 }, '192.168.1.2', nonce);
    expect(hex(bytes.subarray(4, 8))).toBe('00000000');
    expect(hex(bytes.subarray(40, 44))).toBe('1ae10000');
  });

  it('RFC 6887, 11.1: reads what is granted, options left out', () => {
    const granted = {
      externalPort: 50_000,
      externalAddress: '203.0.113.5',
      lifetimeSeconds: 1800,
    };
    expect(decodeMapAnswer(answer(), request, nonce)).toEqual(granted);
    expect(decodeMapAnswer(answer({}, 80), request, nonce)).toEqual(granted);
  });

  it.each([
    ['another version', { 0: 1 }],
    ['a request', { 1: 0x01 }],
    ['another opcode', { 1: 0x82 }],
    ['another nonce', { 30: 0xff }],
    ['another protocol', { 36: 17 }],
    ['another port', { 41: 0 }],
  ])('passes over %s', (_, changes) => {
    expect(decodeMapAnswer(answer(changes), request, nonce)).toBeUndefined();
  });

  it('passes over what has no length of a message', () => {
    for (const length of [0, 3, 24, 56, 59, 61, 1104]) {
      expect(decodeMapAnswer(answer({}, length), request, nonce), `${length}`).toBeUndefined();
    }
  });

  it('RFC 6887, 7.4: tells why it was refused', () => {
    expect(() => decodeMapAnswer(answer({ 3: 2 }), request, nonce)).toThrow('not authorized');
    expect(() => decodeMapAnswer(answer({ 3: 12 }, 24), request, nonce)).toThrow(
      'our address is not the one that it sees',
    );
    expect(() => decodeMapAnswer(answer({ 3: 99 }), request, nonce)).toThrow('result 99');
  });

  it('RFC 6886, 3.5: sees that a gateway speaks NAT-PMP', () => {
    const old = bytesOf('00 81 0001 00000010');
    expect(decodeMapAnswer(old, request, nonce)).toBe('other-version');
    expect(decodeAnnounceAnswer(old)).toBe('other-version');
    expect(decodeMapAnswer(answer({ 0: 3, 3: 1 }), request, nonce)).toBe('other-version');
    expect(decodeMapAnswer(answer({ 3: 1 }, 24), request, nonce)).toBe('other-version');
  });

  it('RFC 6887, 14.1: asks for nothing but an answer', () => {
    expect(hex(encodeAnnounceRequest('192.168.1.2'))).toBe(
      '0200000000000000' + '00000000000000000000ffffc0a80102',
    );
    expect(decodeAnnounceAnswer(bytesOf('02 80 00 00'))).toBe('pcp');
    // It may not know this opcode, and still speak the protocol.
    expect(decodeAnnounceAnswer(bytesOf('02 80 00 04'))).toBe('pcp');
    expect(decodeAnnounceAnswer(bytesOf('02 00 00 00'))).toBeUndefined();
    expect(decodeAnnounceAnswer(bytesOf('00 80 0000'))).toBeUndefined();
    expect(decodeAnnounceAnswer(new Uint8Array(2000).fill(2))).toBeUndefined();
  });

  it('takes any bytes, and throws nothing else', () => {
    const changed = fc
      .tuple(fc.nat(59), fc.nat(255), fc.constantFrom(24, 60, 64))
      .map(([index, value, length]) => answer({ [index]: value }, length));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 80 }), changed), (bytes) => {
        decodeAnnounceAnswer(bytes);
        try {
          const granted = decodeMapAnswer(bytes, request, nonce);
          if (typeof granted === 'object') expect(granted.externalPort).toBeLessThan(65_536);
        } catch (error) {
          expect(error).toBeInstanceOf(GatewayRefusal);
        }
      }),
    );
  });
});
