// Decoding a recorded stream in random splits: how many bytes a second, and what is allocated for each block.
// Run: pnpm --filter @bt/wire bench
//
// The stream is 64 MiB of blocks of 16 KiB with a `have` for every 16 of them and a keep-alive now and then, repeated until
// 1 GiB has gone through. The chunks are ranges of one buffer, as a socket with a static read buffer gives them. "framed" reads
// the messages and hands the blocks on; "copied" also copies each block into a piece, as a client does.
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
const PIECES = { pieceCount: 4096, pieceLength: 16 * BLOCK };

const stream = record();
function measure(splits: Uint32Array, meanSplit: number, copies: boolean): void {
  const passes = Math.ceil(TOTAL_BYTES / stream.length);
  const run = (handler: CountingHandler) => {
    const decoder = new WireDecoder({ pieces: PIECES });
    for (let pass = 0; pass < passes; pass++) {
      for (let i = 1; i < splits.length; i++) {
        decoder.handleBytes(stream, handler, splits[i - 1]!, splits[i]!);
      }
    }
  };
  run(new CountingHandler(copies));
  const rates: number[] = [];
  const heap: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const handler = new CountingHandler(copies);
    globalThis.gc?.();
    const heapBefore = process.memoryUsage().heapUsed;
    const start = performance.now();
    run(handler);
    rates.push((passes * stream.length) / (performance.now() - start) / 1e6);
    heap.push((process.memoryUsage().heapUsed - heapBefore) / handler.blocks);
    const isRight =
      handler.payload === handler.blocks * BLOCK && handler.haves === handler.blocks / 16;
    if (!isRight) throw new Error('the stream was misread');
  }
  const [least, , median, , most] = rates.toSorted((a, b) => a - b) as [number, ...number[]];
  process.stdout.write(
    `splits of ${meanSplit} bytes on average, ${copies ? 'copied' : 'framed'}: ` +
      `${median!.toFixed(1)} GB/s (${least.toFixed(1)}-${most!.toFixed(1)}), ` +
      `${Math.min(...heap).toFixed(2)} bytes of heap a block\n`,
  );
}

class CountingHandler implements WireHandler {
  blocks = 0;
  payload = 0;
  haves = 0;
  readonly #copies: boolean;
  readonly #piece = new Uint8Array(PIECES.pieceLength);
  #blockOffset = 0;

  constructor(copies: boolean) {
    this.#copies = copies;
  }

  onBlockStart(_pieceIndex: number, blockOffset: number): boolean {
    this.#blockOffset = blockOffset;
    return true;
  }

  onBlockData(chunk: Uint8Array, start: number, end: number, offsetInBlock: number): void {
    this.payload += end - start;
    if (this.#copies) {
      this.#piece.set(chunk.subarray(start, end), this.#blockOffset + offsetInBlock);
    }
  }

  onBlockEnd(): void {
    this.blocks++;
  }

  onHave(): void {
    this.haves++;
  }
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

/** Where the chunks begin and end: of 1 to twice `mean` bytes, the same on every run. */
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

for (const meanSplit of [1_448, 16_384, 65_536]) {
  const splits = randomSplits(stream.length, meanSplit);
  for (const copies of [false, true]) measure(splits, meanSplit, copies);
}
