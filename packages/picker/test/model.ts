// A picker as simple as can be: plain maps and loops. It says what the real one may choose, not what it will.

export interface Model {
  readonly pieceCount: number;
  readonly blockCounts: readonly number[];
  /** Blocks that are there from the start and never asked for. */
  readonly isPadding: (pieceIndex: number, blockIndex: number) => boolean;
  readonly have: Set<number>;
  readonly priorities: number[];
  /** Per piece, the blocks that have come; padding is not among them. */
  readonly received: Set<number>[];
  /** Per peer, its pieces and `piece:block` of what it was asked for. */
  readonly peers: Map<number, { pieces: Set<number>; asked: Set<string>; allowed: Set<number> }>;
}

export function createModel(
  blockCounts: readonly number[],
  isPadding: Model['isPadding'] = () => false,
): Model {
  return {
    pieceCount: blockCounts.length,
    blockCounts,
    isPadding,
    have: new Set(),
    priorities: blockCounts.map(() => 4),
    received: blockCounts.map(() => new Set()),
    peers: new Map(),
  };
}

export function key(pieceIndex: number, blockIndex: number): string {
  return `${pieceIndex}:${blockIndex}`;
}

export function isMissing(model: Model, pieceIndex: number): boolean {
  return !model.have.has(pieceIndex);
}

export function isWanted(model: Model, pieceIndex: number): boolean {
  return isMissing(model, pieceIndex) && model.priorities[pieceIndex]! > 0;
}

export function isInteresting(model: Model, peer: number): boolean {
  return [...model.peers.get(peer)!.pieces].some((p) => isWanted(model, p));
}

export function availability(model: Model, pieceIndex: number): number {
  return [...model.peers.values()].filter(({ pieces }) => pieces.has(pieceIndex)).length;
}

export function askers(model: Model, pieceIndex: number, blockIndex: number): number[] {
  return [...model.peers]
    .filter(([, { asked }]) => asked.has(key(pieceIndex, blockIndex)))
    .map(([peer]) => peer);
}

/** Nothing of it has come and nobody was asked for it. */
export function isFresh(model: Model, pieceIndex: number): boolean {
  if (!isWanted(model, pieceIndex) || model.received[pieceIndex]!.size > 0) return false;
  return blocks(model, pieceIndex).every((b) => askers(model, pieceIndex, b).length === 0);
}

/** Those that have to come. */
export function blocks(model: Model, pieceIndex: number): number[] {
  const all = Array.from({ length: model.blockCounts[pieceIndex]! }, (_, b) => b);
  return all.filter((b) => !model.isPadding(pieceIndex, b));
}

/** Wanted blocks of the peer's that have not come and that nobody was asked for. */
export function freeBlocks(model: Model, peer: number): [piece: number, block: number][] {
  const free: [number, number][] = [];
  for (const p of model.peers.get(peer)!.pieces) {
    if (!isWanted(model, p)) continue;
    for (const b of blocks(model, p)) {
      if (!model.received[p]!.has(b) && askers(model, p, b).length === 0) free.push([p, b]);
    }
  }
  return free;
}

/** Every wanted block that has not come and that some peer has was asked for. */
export function inEndGame(model: Model): boolean {
  const peers = [...model.peers.keys()];
  const wanted = model.blockCounts.some((_, p) => isWanted(model, p));
  return wanted && peers.every((peer) => freeBlocks(model, peer).length === 0);
}
