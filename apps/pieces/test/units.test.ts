import { describe, expect, it } from 'vitest';
import { formatDuration, formatShare, formatSize, parseSize } from '../src/units.ts';

describe('parseSize', () => {
  it.each([
    ['500', 500],
    ['64K', 65_536],
    ['4M', 4 * 2 ** 20],
    ['4MiB/s', 4 * 2 ** 20],
    ['1.5G', 1.5 * 2 ** 30],
    ['0', 0],
  ])('reads %s', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  it.each(['', 'x', '-1', '4Q', '1e3', '99999999T'])('refuses %j', (text) => {
    expect(parseSize(text)).toBeUndefined();
  });
});

describe('formats', () => {
  it('writes sizes in powers of 1024', () => {
    expect([0, 1023, 1024, 1024 ** 2 - 1, 268_435_456].map(formatSize)).toEqual([
      '0 B',
      '1023 B',
      '1.0 KiB',
      '1.0 MiB',
      '256.0 MiB',
    ]);
  });

  it('says 100% only of the whole', () => {
    expect(formatShare(999_999, 1_000_000)).toBe('99.9%');
    expect(formatShare(1_000_000, 1_000_000)).toBe('100%');
    expect(formatShare(0, 0)).toBe('100%');
  });

  it('writes times in the two largest units', () => {
    expect([400, 45_000, 125_000, 4_320_000, 180_000_000].map(formatDuration)).toEqual([
      '0 s',
      '45 s',
      '2 min 5 s',
      '1 h 12 min',
      '2 d 2 h',
    ]);
  });
});
