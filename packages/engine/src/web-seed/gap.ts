// Which pieces a web seed is asked for next (BEP 19, "Piece Selection"). HTTP is at its best where many pieces in a row are
// missing, and what peers have is better had from them: so the run of missing pieces is taken that is worth most, where a
// piece is worth the less the more peers have it.

/** Pieces looked at in one search of a large torrent; what lies beyond is found by a later one, which begins elsewhere. */
const LOOKS = 65_536;

export interface GapView {
  readonly pieceCount: number;
  /** Nothing of the piece has come or is asked for, the seed has it, and no other seed is on its way to it. */
  isFree(pieceIndex: number): boolean;
  /** How many have the piece: peers, and seeds such as this one. */
  availability(pieceIndex: number): number;
}

export interface GapWish {
  /** As many pieces as one request should bring. */
  readonly maxPieces: number;
  /** Where to begin to look: by chance, so that those who share a seed don't all get the same from it. */
  readonly startPiece: number;
  /** Where the seed's last range ended: it goes on there unless elsewhere is worth twice as much. */
  readonly nextPiece?: number | undefined;
  /** The first gap, wherever it is: pieces are wanted in order. */
  readonly isSequential?: boolean | undefined;
}

export interface Gap {
  readonly firstPiece: number;
  readonly pieceCount: number;
}

/** Undefined where nothing is free. */
export function chooseGap(view: GapView, wish: GapWish): Gap | undefined {
  const { maxPieces, nextPiece } = wish;
  if (wish.isSequential === true) return firstGap(view, maxPieces);
  const best = search(view, maxPieces, wish.startPiece);
  if (best === undefined || nextPiece === undefined || nextPiece >= view.pieceCount) return best;
  const following = gapAt(view, nextPiece, maxPieces);
  return following.worth * 2 >= best.worth ? following : best;
}

/** The gap that begins with this very piece; of no pieces where it is not free. */
export function gapAt(view: GapView, firstPiece: number, maxPieces: number): RatedGap {
  let pieceCount = 0;
  let worth = 0;
  while (pieceCount < maxPieces && firstPiece + pieceCount < view.pieceCount) {
    if (!view.isFree(firstPiece + pieceCount)) break;
    worth += worthOf(view, firstPiece + pieceCount);
    pieceCount += 1;
  }
  return { firstPiece, pieceCount, worth };
}

interface RatedGap extends Gap {
  readonly worth: number;
}

function firstGap(view: GapView, maxPieces: number): Gap | undefined {
  for (let piece = 0; piece < view.pieceCount; piece += 1) {
    if (view.isFree(piece)) return gapAt(view, piece, maxPieces);
  }
  return undefined;
}

/** Slides a window of `maxPieces` over each gap and keeps the best; of equal ones the first that is met. */
function search(view: GapView, maxPieces: number, startPiece: number): RatedGap | undefined {
  const { pieceCount } = view;
  let best: RatedGap | undefined;
  let first = startPiece;
  let worth = 0;
  for (let look = 0; look < Math.min(pieceCount, LOOKS); look += 1) {
    const piece = (startPiece + look) % pieceCount;
    if (piece === 0 && look > 0) {
      first = 0;
      worth = 0;
    }
    if (!view.isFree(piece)) {
      first = piece + 1;
      worth = 0;
      continue;
    }
    worth += worthOf(view, piece);
    if (piece - first === maxPieces) {
      worth -= worthOf(view, first);
      first += 1;
    }
    // The sum drifts by rounding, so a window must be better by more than that.
    if (best === undefined || worth > best.worth + 1e-6) {
      best = { firstPiece: first, pieceCount: piece - first + 1, worth };
    }
  }
  return best;
}

function worthOf(view: GapView, pieceIndex: number): number {
  return 1 / Math.max(1, view.availability(pieceIndex));
}
