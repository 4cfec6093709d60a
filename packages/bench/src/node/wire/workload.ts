// One run: workload.ts ours|npm framed|copied MEAN_SPLIT. "framed" reads the messages and hands the blocks on; "copied" also copies
// each block into a piece, as a client does. One operation is the stream once.
import { WireDecoder, type WireHandler } from '@bt/wire';
import { measureRepeated, printMeasured } from '../measured.ts';
import { importNpmContender } from '../npm-contenders.ts';
import { PIECES, randomSplits, recordStream, STREAM_BYTES } from './stream.ts';

/** A GiB in all. */
const PASSES = 16;

const [contender, mode, meanSplit] = process.argv.slice(2) as [string, string, string];
const copies = mode === 'copied';
const stream = recordStream();
const piece = new Uint8Array(PIECES.pieceLength);
const splits = randomSplits(stream.length, Number(meanSplit));

class Count {
  blocks = 0;
  payload = 0;
  haves = 0;
}

class CountingHandler extends Count implements WireHandler {
  #blockOffset = 0;

  onBlockStart(_pieceIndex: number, blockOffset: number): boolean {
    this.#blockOffset = blockOffset;
    return true;
  }

  onBlockData(chunk: Uint8Array, start: number, end: number, offsetInBlock: number): void {
    this.payload += end - start;
    if (copies) piece.set(chunk.subarray(start, end), this.#blockOffset + offsetInBlock);
  }

  onBlockEnd(): void {
    this.blocks++;
  }

  onHave(): void {
    this.haves++;
  }
}

function decodeWithOurs(): Count {
  const handler = new CountingHandler();
  const decoder = new WireDecoder({ pieces: PIECES });
  for (let i = 1; i < splits.length; i++) {
    decoder.handleBytes(stream, handler, splits[i - 1]!, splits[i]!);
  }
  return handler;
}

interface NpmWire {
  on(event: 'piece', listener: (piece: number, offset: number, block: Uint8Array) => void): void;
  on(event: 'have', listener: () => void): void;
  once(event: 'drain', listener: () => void): void;
  write(chunk: Uint8Array): boolean;
  destroy(): void;
}

async function loadNpm(): Promise<() => Promise<Count>> {
  const module = (await importNpmContender('bittorrent-protocol')) as {
    default: new () => NpmWire;
  };
  const handshake = new Uint8Array(68);
  handshake[0] = 19;
  handshake.set(new TextEncoder().encode('BitTorrent protocol'), 1);
  return async () => {
    const count = new Count();
    const wire = new module.default();
    wire.on('piece', (_pieceIndex, blockOffset, block) => {
      count.blocks++;
      count.payload += block.length;
      if (copies) piece.set(block, blockOffset);
    });
    wire.on('have', () => {
      count.haves++;
    });
    wire.write(handshake);
    for (let i = 1; i < splits.length; i++) {
      const hasRoom = wire.write(stream.subarray(splits[i - 1]!, splits[i]!));
      if (!hasRoom) await new Promise<void>((resolve) => wire.once('drain', resolve));
    }
    while (count.payload < STREAM_BYTES) await new Promise((resolve) => setImmediate(resolve));
    wire.destroy();
    return count;
  };
}

/** Of our own decoder, which ought to allocate nothing for a block: what is left uncollected after a GiB. */
function heapGrowth(): number {
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed;
  for (let pass = 0; pass < PASSES; pass++) decodeWithOurs();
  return Math.max(0, process.memoryUsage().heapUsed - before);
}

const decodeStream = contender === 'ours' ? decodeWithOurs : await loadNpm();
let last = new Count();
const sample = await measureRepeated(async () => {
  last = await decodeStream();
});
const figures =
  contender === 'ours' ? { 'bytes of heap a block': heapGrowth() / (PASSES * last.blocks) } : {};
const { blocks, payload, haves } = last;
printMeasured({ ...sample, figures }, `${blocks} blocks of ${payload} bytes, ${haves} haves`);
process.exit(); // the other side keeps timers
