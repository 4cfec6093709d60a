// A download on virtual time for the picker's tests: each peer delivers one block at a time at its own rate, is kept
// busy with a queue of requests, and may go away. Nothing is random but the seed.
import { Picker, type PickerOptions, type PickOptions } from '../src/index.ts';
import { createRandom } from './random.ts';

interface SimulatedPeer {
  /** Milliseconds from one block to the next; Infinity: it never answers. */
  readonly blockMs: number;
  /** Its pieces; absent: all. */
  readonly pieces?: readonly number[];
  /** It goes away at this time. */
  readonly leavesAtMs?: number;
  readonly options?: PickOptions;
}

export interface Outcome {
  /** When the last block came, or Infinity when the download was stuck or ran out of time. */
  readonly doneMs: number;
  /** Per piece, when its last block came. */
  readonly pieceMs: readonly number[];
  readonly picker: Picker;
  /** Pieces in the order in which they were begun. */
  readonly begun: readonly number[];
}

interface Connection {
  readonly peer: SimulatedPeer;
  readonly handle: number;
  readonly queue: { piece: number; block: number }[];
  nextBlockAt: number;
  gone: boolean;
}

export interface Plan extends Partial<PickerOptions> {
  readonly pieceCount: number;
  readonly blocksPerPiece?: number;
  readonly peers: readonly SimulatedPeer[];
  readonly seed?: number;
  /** Requests kept with each peer. Default 4. */
  readonly queueDepth?: number;
  readonly endMs?: number;
  /** Called before the peers are asked for the first time. */
  readonly prepare?: (picker: Picker) => void;
}

export function download(plan: Plan): Outcome {
  const { pieceCount, blocksPerPiece = 4, queueDepth = 4, endMs = 10_000_000 } = plan;
  const picker = new Picker({
    blockCount: () => blocksPerPiece,
    random: createRandom(plan.seed ?? 1),
    rarestFirst: true,
    endGame: true,
    ...plan,
  });
  plan.prepare?.(picker);
  const connections = plan.peers.map((peer): Connection => {
    const handle = picker.addPeer();
    if (peer.pieces === undefined) picker.peerHaveAll(handle);
    else for (const p of peer.pieces) picker.peerHave(handle, p);
    return { peer, handle, queue: [], nextBlockAt: Number.POSITIVE_INFINITY, gone: false };
  });
  const byHandle = new Map(connections.map((connection) => [connection.handle, connection]));
  const pieceMs = new Array<number>(pieceCount).fill(Number.POSITIVE_INFINITY);
  const begun: number[] = [];
  const drop = (handle: number, piece: number, block: number): void => {
    const { queue } = byHandle.get(handle)!;
    const at = queue.findIndex((wish) => wish.piece === piece && wish.block === block);
    queue.splice(at, 1);
  };
  const ask = (now: number): void => {
    for (const connection of connections) {
      const { queue, peer, handle } = connection;
      if (connection.gone || queue.length >= queueDepth) continue;
      const idle = queue.length === 0;
      const sink = (piece: number, block: number): void => {
        queue.push({ piece, block });
        if (!begun.includes(piece)) begun.push(piece);
      };
      picker.pick(handle, queueDepth - queue.length, sink, peer.options);
      if (idle && queue.length > 0) connection.nextBlockAt = now + peer.blockMs;
    }
  };

  let now = 0;
  let doneMs = Number.POSITIVE_INFINITY;
  ask(now);
  while (picker.wantedMissing > 0) {
    const times = connections.flatMap(({ gone, queue, nextBlockAt, peer }) =>
      gone ? [] : [queue.length > 0 ? nextBlockAt : Infinity, peer.leavesAtMs ?? Infinity],
    );
    now = Math.min(...times);
    if (now > endMs) break;
    for (const connection of connections) {
      const { peer, handle, queue } = connection;
      if (connection.gone) continue;
      if ((peer.leavesAtMs ?? Number.POSITIVE_INFINITY) <= now) {
        connection.gone = true;
        picker.removePeer(handle);
        continue;
      }
      if (queue.length === 0 || connection.nextBlockAt > now) continue;
      const { piece, block } = queue.shift()!;
      connection.nextBlockAt = now + peer.blockMs;
      picker.markReceived(handle, piece, block, drop);
      if (!picker.isFull(piece)) continue;
      picker.piecePassed(piece);
      pieceMs[piece] = now;
      doneMs = now;
    }
    ask(now);
  }
  return {
    doneMs: picker.wantedMissing === 0 ? doneMs : Number.POSITIVE_INFINITY,
    pieceMs,
    picker,
    begun,
  };
}

export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}
