import { makeEndpoint } from '@bt/endpoint';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decodeStunMessage, STUN_ATTRIBUTE, STUN_METHOD } from '../../src/index.ts';
import {
  DATA_INDICATION_OVERHEAD_BYTES,
  writeDataIndication,
} from '../../src/turn/data-indication.ts';

it('RFC 8656 section 11.4: peer address and datagram, in a buffer that was used before', () => {
  const endpoints = fc
    .tuple(fc.oneof(fc.ipV4(), fc.ipV6()), fc.nat(65_535))
    .map(([address, port]) => makeEndpoint(address, port)!);
  const datagrams = fc.uint8Array({ maxLength: 1_500, size: 'max' });
  fc.assert(
    fc.property(endpoints, datagrams, fc.nat(0xffffffff), (peer, datagram, serial) => {
      const target = new Uint8Array(datagram.length + DATA_INDICATION_OVERHEAD_BYTES).fill(0xee);
      const length = writeDataIndication(target, serial, peer, datagram);
      const message = decodeStunMessage(target.subarray(0, length))!;
      expect(message).toMatchObject({ class: 'indication', method: STUN_METHOD.data });
      expect(message.xorAddress(STUN_ATTRIBUTE.xorPeerAddress)).toEqual(peer);
      expect(message.value(STUN_ATTRIBUTE.data)).toEqual(datagram);
      // Padding is zeros: nothing of an earlier datagram leaks.
      const padding = target.subarray(length - ((4 - (datagram.length % 4)) % 4), length);
      expect(padding.every((byte) => byte === 0)).toBe(true);
    }),
  );
});
