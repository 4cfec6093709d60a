import { makeSample, type Sample } from '../torrent.ts';

/** The torrent that `killed-process.ts` downloads: 100 pieces of 32 KiB. */
export function killSample(): Sample {
  return makeSample({
    pieceLength: 32768,
    files: [
      { path: 'a', length: 1_000_000 },
      { path: 'b', length: 33 },
      { path: 'c', length: 2_276_767 },
    ],
  });
}
