// A simulated download by 200 peers through one picker, with a stopwatch on each kind of call.
import { existsSync, readFileSync } from 'node:fs';
import { Picker } from '@bt/picker';
import { createRandom } from '@bt/simulator';
import { median } from '../../statistics.ts';

const PEERS = 200;
const SEEDS = 10;
const SCHEDSTAT = `/proc/self/task/${process.pid}/schedstat`;
const PIPELINE = 20;

interface Swarm {
  readonly picker: Picker;
  readonly handles: number[];
  /** Per leecher, the pieces it will announce one by one, in a random order. */
  readonly announcements: Uint32Array[];
}

/** CPU time of this thread where Linux tells it, so that other programs on the machine do not count; else wall time. */
function threadMilliseconds(): number {
  if (!existsSync(SCHEDSTAT)) return performance.now();
  return Number(readFileSync(SCHEDSTAT, 'latin1').split(' ')[0]) / 1e6;
}

class Stopwatch {
  milliseconds = 0;
  count = 0;

  measure(run: () => number): void {
    const start = threadMilliseconds();
    const done = run();
    this.milliseconds += threadMilliseconds() - start;
    this.count += done;
  }

  get nanoseconds(): number {
    return Math.round((this.milliseconds * 1e6) / Math.max(1, this.count));
  }
}

export function createSwarm(pieceCount: number, blocksPerPiece: number, seeds: number): Swarm {
  const random = createRandom(pieceCount + blocksPerPiece);
  const picker = new Picker({
    pieceCount,
    blockCount: () => blocksPerPiece,
    random,
    rarestFirst: true,
    endGame: true,
  });
  const handles: number[] = [];
  const announcements: Uint32Array[] = [];
  for (let i = 0; i < PEERS; i += 1) {
    const handle = picker.addPeer();
    handles.push(handle);
    if (i < seeds) {
      picker.peerHaveAll(handle);
      announcements.push(new Uint32Array(0));
      continue;
    }
    const share = random();
    const bits = new Uint8Array((pieceCount + 7) >>> 3);
    const lacking: number[] = [];
    for (let p = 0; p < pieceCount; p += 1) {
      if (random() < share) bits[p >>> 3]! |= 0x80 >>> (p & 7);
      else if (lacking.length < 20_000) lacking.push(p);
    }
    for (let j = lacking.length - 1; j > 0; j -= 1) {
      const k = Math.floor(random() * (j + 1));
      [lacking[j], lacking[k]] = [lacking[k]!, lacking[j]!];
    }
    picker.peerBitfield(handle, bits);
    announcements.push(Uint32Array.from(lacking));
  }
  return { picker, handles, announcements };
}

export function createWatches() {
  return {
    have: new Stopwatch(),
    pick: new Stopwatch(),
    block: new Stopwatch(),
    piece: new Stopwatch(),
  };
}

/** Downloads everything (or 200,000 blocks), all peers taking turns, haves coming in between. Returns the blocks. */
export function download(
  swarm: Swarm,
  pieceCount: number,
  blocksPerPiece: number,
  watches: ReturnType<typeof createWatches>,
): number {
  const { picker, handles, announcements } = swarm;
  const asked = { peer: [] as number[], piece: [] as number[], block: [] as number[] };
  const told = new Uint32Array(PEERS);
  const left = new Int32Array(pieceCount).fill(blocksPerPiece);
  const ignore = (): void => {};
  let asking = 0;
  const sink = (p: number, b: number): void => {
    asked.peer.push(asking);
    asked.piece.push(p);
    asked.block.push(b);
  };
  let total = 0;
  while (picker.wantedMissing > 0 && total < 200_000) {
    watches.pick.measure(() => {
      let picked = 0;
      for (const handle of handles) {
        asking = handle;
        picked += picker.pick(handle, PIPELINE, sink);
      }
      return picked;
    });
    const count = asked.peer.length;
    if (count === 0) break;
    total += count;
    watches.block.measure(() => {
      for (let i = 0; i < count; i += 1) {
        picker.markReceived(asked.peer[i]!, asked.piece[i]!, asked.block[i]!, ignore);
      }
      return count;
    });
    watches.piece.measure(() => {
      let passed = 0;
      for (let i = 0; i < count; i += 1) {
        const p = asked.piece[i]!;
        left[p]! -= 1;
        if (left[p]! > 0 || !picker.isFull(p)) continue;
        picker.piecePassed(p);
        passed += 1;
      }
      return passed;
    });
    asked.peer.length = 0;
    asked.piece.length = 0;
    asked.block.length = 0;
    watches.have.measure(() => {
      let haves = 0;
      for (let i = 0; i < PEERS; i += 1) {
        const list = announcements[i]!;
        for (let j = 0; j < 10 && told[i]! < list.length; j += 1, told[i]! += 1) {
          picker.peerHave(handles[i]!, list[told[i]!]!);
          haves += 1;
        }
      }
      return haves;
    });
  }
  return total;
}

/** Milliseconds, the median of 9 peers with this share of the pieces joining and leaving. */
export function measureJoin(pieceCount: number, share: number): { join: number; leave: number } {
  const { picker } = createSwarm(pieceCount, 16, SEEDS);
  const random = createRandom(7);
  const joins: number[] = [];
  const leaves: number[] = [];
  const handle = picker.addPeer();
  for (let i = 0; i < 9; i += 1) {
    const bits = new Uint8Array((pieceCount + 7) >>> 3);
    for (let p = 0; p < pieceCount; p += 1) {
      if (share === 1 || random() < share) bits[p >>> 3]! |= 0x80 >>> (p & 7);
    }
    const start = performance.now();
    picker.peerBitfield(handle, bits);
    joins.push(performance.now() - start);
    const between = performance.now();
    picker.peerHaveNone(handle);
    leaves.push(performance.now() - between);
  }
  return { join: median(joins), leave: median(leaves) };
}
