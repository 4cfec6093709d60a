import { describe, expect, it } from 'vitest';
import {
  formatBytes,
  formatDuration,
  formatShare,
  grouped,
  plural,
  printable,
} from '../src/text.ts';

describe('formatBytes', () => {
  it.each([
    [0, '0 bytes'],
    [1, '1 byte'],
    [999, '999 bytes'],
    [1000, '0.98 KiB'],
    [1024, '1 KiB'],
    [16_384, '16 KiB'],
    [1536, '1.50 KiB'],
    [102_350, '100 KiB'],
    [2 ** 20 - 1, '1.00 MiB'],
    [123_456_789, '118 MiB'],
    [2 ** 40, '1 TiB'],
    [2 ** 60, '1024 PiB'],
  ])('%i is %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });
});

describe('formatDuration', () => {
  it.each([
    [0, '0:00'],
    [0.2, '0:01'],
    [59.5, '1:00'],
    [61, '1:01'],
    [3599, '59:59'],
    [3661, '1:01:01'],
  ])('%d s is %s', (seconds, text) => {
    expect(formatDuration(seconds)).toBe(text);
  });
});

describe('formatShare', () => {
  it.each([
    [0, 3, '0.0%'],
    [1, 3, '33.3%'],
    [99_999, 100_000, '99.9%'],
    [3, 3, '100%'],
    [0, 0, '100%'],
  ])('%i of %i is %s', (part, whole, text) => {
    expect(formatShare(part, whole)).toBe(text);
  });
});

describe('plural', () => {
  it('counts', () => {
    expect([plural(1, 'file'), plural(0, 'file'), plural(12_345, 'file')]).toEqual([
      '1 file',
      '0 files',
      '12,345 files',
    ]);
  });
});

describe('grouped', () => {
  it('sets commas', () => {
    expect([0, 999, 1000, 12_345, 1_234_567, 1e15].map(grouped)).toEqual([
      '0',
      '999',
      '1,000',
      '12,345',
      '1,234,567',
      '1,000,000,000,000,000',
    ]);
  });
});

describe('printable', () => {
  it('shows what could command a terminal, and leaves letters alone', () => {
    expect(printable('a\x1b[31mb\n\x7f\u009b\u202ec')).toBe(
      'a\\u{1b}[31mb\\u{a}\\u{7f}\\u{9b}\\u{202e}c',
    );
    expect(printable('Füße 日本 😀')).toBe('Füße 日本 😀');
  });
});
