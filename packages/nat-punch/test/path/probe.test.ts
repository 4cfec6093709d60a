import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NatPunchError } from '../../src/errors.ts';
import {
  isProbeByte,
  PROBE_BYTES,
  ProbeCodec,
  type ProbeMessage,
  type Via,
} from '../../src/path/probe.ts';

const KEY = Uint8Array.from({ length: 32 }, (_, index) => index);
const VIAS: readonly Via[] = ['socket', 'relay-udp', 'relay-tcp', 'relay-tls'];

function pair() {
  return { controlling: new ProbeCodec(KEY, true), controlled: new ProbeCodec(KEY, false) };
}

describe('probes', () => {
  it('come through with their answers, equally long', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...VIAS),
        fc.integer({ min: 0, max: 0xffff_ffff }),
        fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        (via, generation, nonce) => {
          const { controlling, controlled } = pair();
          controlling.probe('socket', 0, 0n);
          const bytes = controlling.probe(via, generation, nonce);
          const probe = controlled.decode(bytes) as ProbeMessage;
          expect(probe).toEqual({ type: 'probe', via, sequence: 1, generation, nonce });
          const answer = controlled.answer('relay-tcp', probe);
          expect([bytes.length, answer.length]).toEqual([PROBE_BYTES, PROBE_BYTES]);
          expect(controlling.decode(answer)).toEqual({
            type: 'answer',
            via: 'relay-tcp',
            sequence: 0,
            generation,
            nonce,
          });
        },
      ),
    );
  });

  it('have a first byte of their own: no STUN, DTLS, TURN channel or RTP (RFC 7983)', () => {
    const bytes = pair().controlling.probe('socket', 0, 0n);
    expect([
      isProbeByte(bytes[0]!),
      isProbeByte(3),
      isProbeByte(63),
      isProbeByte(0x4f),
      isProbeByte(191),
    ]).toEqual([true, false, false, false, false]);
  });

  it('count once', () => {
    const { controlling, controlled } = pair();
    const bytes = controlling.probe('socket', 0, 0n);
    expect(controlled.decode(bytes)).toBeDefined();
    expect(controlled.decode(bytes)).toBeUndefined();
  });

  it('mean nothing when they are sent back, or to another pair', () => {
    const { controlling } = pair();
    const bytes = controlling.probe('socket', 0, 0n);
    expect(controlling.decode(bytes)).toBeUndefined();
    expect(
      new ProbeCodec(
        KEY.map((byte) => byte ^ 1),
        false,
      ).decode(bytes),
    ).toBeUndefined();
  });

  it('are refused with any bit changed, or cut', () => {
    const bytes = pair().controlling.probe('relay-udp', 7, 1n);
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const changed = bytes.slice();
      changed[bit >> 3]! ^= 1 << (bit & 7);
      expect(pair().controlled.decode(changed)).toBeUndefined();
    }
    for (let end = 0; end < bytes.length; end++) {
      expect(pair().controlled.decode(bytes.subarray(0, end))).toBeUndefined();
    }
    expect(pair().controlled.decode(Uint8Array.of(...bytes, 0))).toBeUndefined();
  });

  it('are nothing that arbitrary bytes make', () => {
    const { controlled } = pair();
    fc.assert(
      fc.property(fc.uint8Array({ minLength: PROBE_BYTES, maxLength: PROBE_BYTES }), (bytes) => {
        expect(controlled.decode(bytes)).toBeUndefined();
      }),
    );
  });

  it('need a key of 32 bytes', () => {
    expect(() => new ProbeCodec(new Uint8Array(31), true)).toThrow(NatPunchError);
  });
});
