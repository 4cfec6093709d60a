import { storageError } from '@bt/storage';
import { describe, expect, it } from 'vitest';
import { DiskPatience } from '../src/disk-patience.ts';

const noSpace = storageError('no-space', { path: '/a' });
const cut = storageError('truncated', { path: '/a' });
const permission = storageError('permission', { path: '/a' });

describe('a disk that refuses', () => {
  it('is waited for as long as the user says, counted from the first refusal', () => {
    const disk = new DiskPatience(60);
    expect(disk.verdict(1_000)).toBeUndefined();
    disk.refused(noSpace, 100);
    disk.refused(noSpace, 150);
    expect(disk.verdict(159)).toBeUndefined();
    expect(disk.verdict(160)).toBe(noSpace);
  });

  it('is waited for anew after it has worked', () => {
    const disk = new DiskPatience(60);
    disk.refused(noSpace, 100);
    disk.works();
    expect(disk.verdict(1_000)).toBeUndefined();
    disk.refused(noSpace, 1_000);
    expect(disk.verdict(1_059)).toBeUndefined();
    expect(disk.verdict(1_060)).toBe(noSpace);
  });

  it('is not waited for when that does not pass by itself', () => {
    const disk = new DiskPatience(60);
    disk.refused(permission, 100);
    expect(disk.verdict(100)).toBe(permission);
  });
});

describe('a disk that loses pieces', () => {
  it('is given the time to get them again, however long that is', () => {
    const disk = new DiskPatience(60);
    disk.saved(10);
    for (const now of [100, 101, 102]) disk.lost(permission, now);
    disk.saved(10);
    expect(disk.verdict(100_000)).toBeUndefined();
    disk.saved(11);
    disk.lost(cut, 100_000);
    expect(disk.verdict(200_000)).toBeUndefined();
  });

  it('is given up when it loses one again and none was saved', () => {
    const disk = new DiskPatience(60);
    disk.lost(permission, 100);
    disk.saved(0);
    disk.lost(cut, 159);
    expect(disk.verdict(159)).toBeUndefined();
    disk.lost(cut, 160);
    expect(disk.verdict(160)).toBe(cut);
  });
});
