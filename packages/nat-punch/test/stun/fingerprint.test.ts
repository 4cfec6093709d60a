import { expect, it } from 'vitest';
import { fingerprintOf } from '../../src/stun/fingerprint.ts';
import { RFC_5769 } from './rfc-5769.ts';

it('is the CRC-32 of ITU V.42 mixed with "STUN"', () => {
  const text = new TextEncoder().encode('123456789');
  // The check value of that CRC over these nine digits, as its catalogues give it.
  expect(fingerprintOf(text, 9)).toBe((0xcbf43926 ^ 0x5354554e) >>> 0);
  expect(fingerprintOf(RFC_5769.request, RFC_5769.request.length - 8)).toBe(0xe57a3bcf);
});
