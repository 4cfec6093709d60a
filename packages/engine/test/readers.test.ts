import { expect, it } from 'vitest';
import { MAX_READERS } from '../src/limits.ts';
import { BareTorrent } from './support/bare-torrent.ts';

it('a torrent has a bounded number of readers, and room for another when one is closed', () => {
  const { torrent } = new BareTorrent();
  const readers = Array.from({ length: MAX_READERS }, () => torrent.openReader(0, 0, 0, 100));
  const refused = expect.objectContaining({ name: 'EngineError', code: 'too-many' });
  expect(() => torrent.openReader(0, 0, 0, 100)).toThrow(refused);
  torrent.closeReader(0, readers[0]!);
  torrent.openReader(0, 0, 0, 100);
  expect(() => torrent.openReader(0, 0, 0, 100)).toThrow(refused);
});
