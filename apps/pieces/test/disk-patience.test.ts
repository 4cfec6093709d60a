import { storageError } from '@bt/storage';
import { expect, it } from 'vitest';
import { DiskPatience } from '../src/disk-patience.ts';

const noSpace = storageError('no-space', { path: '/a' });

it('waits for space as long as it is told, counted from the first refusal', () => {
  const disk = new DiskPatience(60);
  expect(disk.isOver(1_000)).toBe(false);
  disk.refused(noSpace, 100);
  disk.refused(noSpace, 150);
  expect(disk.isOver(159)).toBe(false);
  expect(disk.isOver(160)).toBe(true);
});

it('begins anew after the disk has worked', () => {
  const disk = new DiskPatience(60);
  disk.refused(noSpace, 100);
  disk.works();
  expect(disk.isOver(1_000)).toBe(false);
  disk.refused(noSpace, 1_000);
  expect(disk.isOver(1_059)).toBe(false);
  expect(disk.error).toBe(noSpace);
});

it('does not wait for what does not pass by itself', () => {
  const disk = new DiskPatience(60);
  disk.refused(storageError('permission', { path: '/a' }), 100);
  expect(disk.isOver(100)).toBe(true);
});
