// Decoding a recorded stream in random splits: how many bytes a second, and what is allocated for it.
// Run: node --expose-gc --import tsx --conditions=@bt/source packages/wire/bench/decode.bench.ts
//
// The stream is 64 MiB of blocks of 16 KiB with a `have` for every 16 of them and a keep-alive now and then, repeated until
// 1 GiB has gone through. The chunks are ranges of one buffer, as a socket with a static read buffer gives them.
import { performance } from 'node:perf_hooks';
import {
  WireDecoder,
  type WireHandler,
  writeBlockHeader,
  writeHave,
  writeKeepAlive,
} from '../src/index.ts';

const BLOCK = 16_384;
const STREAM_BYTES = 64 * 1024 * 1024;
const TOTAL_BYTES = 1024 * 1024 * 1024;
const ROUNDS = 5;
const pieces = { pieceCount: 4096, pieceLength: 16 * BLOCK };

const stream = record();
for (const meanSplit of [4_096, 16_384, 65_536]) {
  const splits = randomSplits(stream.length, meanSplit);
  run(splits);
  const rates: number[] = [];
  let allocated = 0;
  let blocks = 0;
  for (let round = 0; round < ROUNDS; round++) {
    globalThis.gc?.();
    const heapBefore = process.memoryUsage().heapUsed;
    const start = performance.now();
    const result = run(splits);
    rates.push(result.bytes / (performance.now() - start) / 1e6);
    allocated = process.memoryUsage().heapUsed - heapBefore;
    blocks = result.blocks;
  }
  rates.sort((a, b) => a - b);
  process.stdout.write(
    `splits of ${meanSplit} bytes on average: ${rates[ROUNDS >> 1]!.toFixed(1)} GB/s ` +
      `(${rates[0]!.toFixed(1)}-${rates.at(-1)!.toFixed(1)}), ` +
      `${(allocated / blocks).toFixed(2)} bytes of heap a block\n`,
  );
}

function run(splits: Uint32Array): { bytes: number; blocks: number } {
  const decoder = new WireDecoder({ pieces });
  let blocks = 0;
  let payload = 0;
  let haves = 0;
  const handler: WireHandler = {
    onBlockStart: () => true,
    onBlockData: (_chunk, start, end) => {
      payload += end - start;
    },
    onBlockEnd: () => {
      blocks++;
    },
    onHave: () => {
      haves++;
    },
  };
  let bytes = 0;
  while (bytes < TOTAL_BYTES) {
    for (let i = 1; i < splits.length; i++) {
      decoder.handleBytes(stream, handler, splits[i - 1]!, splits[i]!);
    }
    bytes += stream.length;
  }
  if (payload !== blocks * BLOCK || haves !== blocks / 16)
    throw new Error('the stream was misread');
  return { bytes, blocks };
}

function record(): Uint8Array {
  const bytes = new Uint8Array(STREAM_BYTES + STREAM_BYTES / 512);
  let at = 0;
  for (let block = 0; block < STREAM_BYTES / BLOCK; block++) {
    at = writeBlockHeader(bytes, at, block >> 4, (block & 15) * BLOCK, BLOCK) + BLOCK;
    if (block % 16 === 15) at = writeHave(bytes, at, block >> 4);
    if (block % 1000 === 0) at = writeKeepAlive(bytes, at);
  }
  return bytes.subarray(0, at);
}

/** Ends of the chunks, of 1 to twice `mean` bytes; the same on every run. */
function randomSplits(length: number, mean: number): Uint32Array {
  const ends = [0];
  let seed = 1;
  for (let at = 0; at < length; ) {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    at = Math.min(length, at + 1 + Math.floor((seed / 2 ** 32) * 2 * mean));
    ends.push(at);
  }
  return Uint32Array.from(ends);
}
