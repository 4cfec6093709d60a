// The recorded stream: 64 MiB of blocks of 16 KiB, with a `have` for every 16 of them and a keep-alive now and then. It is cut
// into ranges of one buffer, as a socket with a static read buffer gives them.
import { writeBlockHeader, writeHave, writeKeepAlive } from '@bt/wire';

const BLOCK_BYTES = 16_384;
export const PIECES = { pieceCount: 4096, pieceLength: 16 * BLOCK_BYTES };
/** Of the payload; the headers come to less than a thousandth. */
export const STREAM_BYTES = 64 * 1024 * 1024;

export function recordStream(): Uint8Array {
  const bytes = new Uint8Array(STREAM_BYTES + STREAM_BYTES / 512);
  let at = 0;
  for (let block = 0; block < STREAM_BYTES / BLOCK_BYTES; block++) {
    at = writeBlockHeader(bytes, at, block >> 4, (block & 15) * BLOCK_BYTES, BLOCK_BYTES);
    at += BLOCK_BYTES;
    if (block % 16 === 15) at = writeHave(bytes, at, block >> 4);
    if (block % 1000 === 0) at = writeKeepAlive(bytes, at);
  }
  return bytes.subarray(0, at);
}

/** Where the chunks begin and end: of 1 to twice `mean` bytes, the same on every run. */
export function randomSplits(length: number, mean: number): Uint32Array {
  const ends = [0];
  let seed = 1;
  for (let at = 0; at < length; ) {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    at = Math.min(length, at + 1 + Math.floor((seed / 2 ** 32) * 2 * mean));
    ends.push(at);
  }
  return Uint32Array.from(ends);
}
