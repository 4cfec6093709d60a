import { addressClass } from '@bt/endpoint';
import { describe, expect, it } from 'vitest';
import { isReachable } from '../src/reach.ts';

const table: [string, plain: boolean, other: boolean, afterPublic: boolean][] = [
  ['192.0.2.1', true, true, true],
  ['2001:db8::1', true, true, true],
  ['10.1.2.3', true, true, false],
  ['fd00::1', true, true, false],
  ['100.64.0.1', true, true, false],
  ['127.0.0.1', true, false, false],
  ['::1', true, false, false],
  ['::ffff:127.0.0.1', true, false, false],
  ['64:ff9b::127.0.0.1', true, false, false],
  ['169.254.169.254', true, false, false],
  ['fe80::1', true, false, false],
  ['0.0.0.0', false, false, false],
  ['::', false, false, false],
  ['224.0.0.1', false, false, false],
  ['255.255.255.255', false, false, false],
];

describe('isReachable', () => {
  it.each(table)('%s', (address, plain, other, afterPublic) => {
    const kind = addressClass(address);
    expect(isReachable(kind, { isPlain: true, afterPublic: false })).toBe(plain);
    expect(isReachable(kind, { isPlain: false, afterPublic: false })).toBe(other);
    expect(isReachable(kind, { isPlain: true, afterPublic: true })).toBe(afterPublic);
    expect(isReachable(kind, { isPlain: false, afterPublic: true })).toBe(afterPublic);
  });
});
