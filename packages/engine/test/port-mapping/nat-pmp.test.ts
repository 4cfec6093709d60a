import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GatewayRefusal, type MappingRequest } from '../../src/port-mapping/mapping.ts';
import {
  decodeAddressAnswer,
  decodeMappingAnswer,
  encodeAddressRequest,
  encodeMappingRequest,
} from '../../src/port-mapping/nat-pmp.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const bytesOf = (text: string) => new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'));
const request: MappingRequest = {
  protocol: 'tcp',
  port: 6881,
  externalPort: 6882,
  lifetimeSeconds: 7200,
};

describe('NAT-PMP', () => {
  it('RFC 6886, 3.2: asks for the external address, and reads it', () => {
    expect(hex(encodeAddressRequest())).toBe('0000');
    expect(decodeAddressAnswer(bytesOf('00 80 0000 00000010 cb007105'))).toBe('203.0.113.5');
  });

  it('RFC 6886, 3.3: asks for a mapping, and reads what is granted', () => {
    expect(hex(encodeMappingRequest(request))).toBe('000200001ae11ae200001c20');
    expect(hex(encodeMappingRequest({ ...request, protocol: 'udp' }))).toBe(
      '000100001ae11ae200001c20',
    );
    const answer = bytesOf('00 82 0000 00000010 1ae1 c350 00000e10');
    expect(decodeMappingAnswer(answer, 'tcp', 6881)).toEqual({
      externalPort: 50_000,
      lifetimeSeconds: 3600,
    });
  });

  it('RFC 6886, 3.4: removes a mapping with neither lifetime nor external port', () => {
    const removal = { ...request, lifetimeSeconds: 0 };
    expect(hex(encodeMappingRequest(removal))).toBe('000200001ae1000000000000');
  });

  it('passes over what is no answer to the request', () => {
    for (const text of [
      '',
      '00 82',
      '00 82 0000 00000010 1ae1 c350 00000e',
      '00 82 0000 00000010 1ae1 c350 00000e10 00',
      '00 81 0000 00000010 1ae1 c350 00000e10',
      '00 02 0000 00000010 1ae1 c350 00000e10',
      '02 82 0000 00000010 1ae1 c350 00000e10',
      '00 82 0000 00000010 1ae2 c350 00000e10',
    ]) {
      expect(decodeMappingAnswer(bytesOf(text), 'tcp', 6881), text).toBeUndefined();
    }
    expect(decodeAddressAnswer(bytesOf('00 80 0000 00000010 cb0071'))).toBeUndefined();
  });

  it('RFC 6886, 3.5: tells why it was refused', () => {
    const refused = () => decodeMappingAnswer(bytesOf('00 82 0002 00000010'), 'tcp', 6881);
    expect(refused).toThrow(new GatewayRefusal('not authorized', 2));
    const unknown = () => decodeAddressAnswer(bytesOf('00 80 00ff 00000010'));
    expect(unknown).toThrow('result 255');
  });

  it('takes any bytes, and throws nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        for (const decode of [
          () => decodeAddressAnswer(bytes),
          () => decodeMappingAnswer(bytes, 'udp', 1),
        ]) {
          try {
            decode();
          } catch (error) {
            expect(error).toBeInstanceOf(GatewayRefusal);
          }
        }
      }),
    );
  });
});
