import { expect, it } from 'vitest';
import { formatShare, formatSize, parseSize } from '../src/units.ts';

it('reads sizes', () => {
  expect(['500', '64K', '1.5 MiB', '2G', 'x', '', '-1'].map(parseSize)).toEqual([
    500,
    65_536,
    1_572_864,
    2_147_483_648,
    undefined,
    undefined,
    undefined,
  ]);
});

it('prints sizes and shares', () => {
  expect([0, 1023, 1024, 50_000_000].map(formatSize)).toEqual([
    '0 B',
    '1023 B',
    '1.0 KiB',
    '47.7 MiB',
  ]);
  expect([formatShare(0, 0), formatShare(999, 1000), formatShare(1, 1)]).toEqual([
    '100%',
    '99%',
    '100%',
  ]);
});
