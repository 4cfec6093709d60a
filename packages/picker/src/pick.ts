// What to ask a peer for: urgent pieces, then blocks of begun pieces, then a fresh piece by the strategy, then the
// end game. Each step takes as many blocks as it can and leaves the rest to the next.
import { pickDuplicates } from './endgame.ts';
import type { OpenPiece } from './open-piece.ts';
import type { Peer } from './peer.ts';
import { firstPiece } from './piece-set.ts';
import { NONE } from './requests.ts';
import { HAVE, type PickerState } from './state.ts';
import type { PickOptions, PickSink } from './view.ts';

/** Begun pieces looked at for a peer before a fresh one is begun; keeps the search short when thousands are begun. */
const PARTIALS_LOOKED_AT = 64;
/** A slow peer is the first supplier of no more begun pieces than this. */
const SLOW_PEER_PIECES = 2;

/** Asks the peer for up to `count` blocks and says for how many. */
export function pickBlocks(
  state: PickerState,
  peer: Peer,
  count: number,
  sink: PickSink,
  options: PickOptions,
): number {
  if (peer.isSeed ? state.wanted.size === 0 : peer.interesting === 0) return 0;
  if (options.allowedFastOnly === true) return pickAllowedFast(state, peer, count, sink, options);
  if (options.parole === true) return pickAlone(state, peer, count, sink);
  const slow = options.slow === true;
  let picked = 0;
  if (peer.dryVersion !== state.freeVersion) {
    if (state.urgent.size > 0) picked = pickUrgent(state, peer, count, sink);
    while (picked < count) {
      let piece = continuable(state, peer) ?? findPartial(state, peer, PARTIALS_LOOKED_AT);
      if (piece === undefined && state.view.bbsPlus === true && !slow) {
        picked += pickDuplicates(state, peer, count - picked, sink, false);
        if (picked === count) return picked;
      }
      piece ??= beginFresh(state, peer, slow) ?? findPartial(state, peer, state.partial.length);
      if (piece === undefined) {
        if (!slow && !atOpenLimit(state, peer)) peer.dryVersion = state.freeVersion;
        break;
      }
      picked += takeFree(state, peer, piece, count - picked, sink);
    }
  }
  if (picked === count) return picked;
  if (options.duplicateUrgent === true) {
    picked += pickDuplicates(state, peer, count - picked, sink, true);
  }
  if (!slow && picked < count) {
    const race = state.view.bbsPlus === true || (state.view.endGame && state.inEndGame);
    if (race) picked += pickDuplicates(state, peer, count - picked, sink, false);
  }
  return picked;
}

function pickUrgent(state: PickerState, peer: Peer, count: number, sink: PickSink): number {
  const { urgent } = state;
  let picked = 0;
  let from = 0;
  while (picked < count) {
    const w = urgent.findWord(peer.pieces, from);
    if (w < from) break;
    let bits = urgent.common(peer.pieces, w);
    while (bits !== 0 && picked < count) {
      const pieceIndex = firstPiece(w, bits);
      bits &= ~(1 << (31 - (pieceIndex & 31)));
      const piece = state.openPieceOf(pieceIndex) ?? state.begin(pieceIndex, peer);
      if (mayJoin(piece, peer)) picked += takeFree(state, peer, piece, count - picked, sink);
    }
    from = w + 1;
    if (from >= urgent.words.length) break;
  }
  return picked;
}

/** The piece the peer was asked for last, if it still has a block for it. */
function continuable(state: PickerState, peer: Peer): OpenPiece | undefined {
  const piece = peer.current;
  if (piece === undefined || piece.partialPosition === NONE) return undefined;
  if (piece.pieceIndex !== peer.currentPiece || !mayJoin(piece, peer)) return undefined;
  return state.sequential ? undefined : piece;
}

/** Of the begun pieces with a free block, the one nearest its end (in sequential order the first) that is the peer's. */
function findPartial(state: PickerState, peer: Peer, lookAt: number): OpenPiece | undefined {
  const { partial, sequential } = state;
  const total = partial.length;
  const looks = Math.min(total, lookAt);
  let best: OpenPiece | undefined;
  let at = total > lookAt ? (state.view.random() * total) | 0 : 0;
  for (let i = 0; i < looks; i += 1) {
    const piece = partial[at]!;
    at = at + 1 === total ? 0 : at + 1;
    if (!peer.has(piece.pieceIndex) || !mayJoin(piece, peer)) continue;
    const better =
      best === undefined ||
      (sequential ? piece.pieceIndex < best.pieceIndex : piece.freeCount < best.freeCount);
    if (better) best = piece;
  }
  return best;
}

function beginFresh(state: PickerState, peer: Peer, slow: boolean): OpenPiece | undefined {
  if (slow && peer.begun >= SLOW_PEER_PIECES) return undefined;
  if (atOpenLimit(state, peer)) return undefined;
  const pieceIndex = findFresh(state, peer);
  return pieceIndex < 0 ? undefined : state.begin(pieceIndex, peer);
}

/** A fresh piece for the peer by the strategy in force, or -1. */
function findFresh(state: PickerState, peer: Peer): number {
  const { availability, view } = state;
  if (state.sequential) return availability.findFirst(peer);
  const random =
    !view.rarestFirst || state.pieceCount - state.missingCount < (view.randomFirstPieces ?? 4);
  return random ? availability.findRandom(peer) : availability.findRarest(peer);
}

function atOpenLimit(state: PickerState, peer: Peer): boolean {
  const limit = state.view.maxOpenPieces;
  return limit !== undefined && state.open.length >= limit && peer.outstanding > 0;
}

/** Pieces that the choking peer allowed; each still wanted one is begun or continued. */
function pickAllowedFast(
  state: PickerState,
  peer: Peer,
  count: number,
  sink: PickSink,
  options: PickOptions,
): number {
  let picked = 0;
  for (const pieceIndex of peer.allowedFast) {
    if (picked === count) break;
    if (!state.isWanted(pieceIndex) || !peer.has(pieceIndex)) continue;
    const slot = state.slotOf[pieceIndex]!;
    if (slot === HAVE) continue;
    const piece = slot >= 0 ? state.slots[slot]! : state.begin(pieceIndex, peer);
    const allowed = options.parole === true ? mayTakeOver(piece, peer) : mayJoin(piece, peer);
    if (!allowed || piece.freeCount === 0) continue;
    if (options.parole === true) own(piece, peer);
    picked += takeFree(state, peer, piece, count - picked, sink);
  }
  return picked;
}

/** Parole: pieces of which this peer alone supplies every block, so that a bad one has one possible sender. */
function pickAlone(state: PickerState, peer: Peer, count: number, sink: PickSink): number {
  let picked = 0;
  while (picked < count) {
    let piece = findOwn(state, peer, false);
    if (piece === undefined) {
      const pieceIndex = atOpenLimit(state, peer) ? -1 : findFresh(state, peer);
      if (pieceIndex >= 0) piece = state.begin(pieceIndex, peer);
    }
    // Nothing fresh: rather than hold up the download it finishes a piece that nobody else is asked for.
    if (piece === undefined && peer.outstanding === 0) piece = findOwn(state, peer, true);
    if (piece === undefined) break;
    own(piece, peer);
    picked += takeFree(state, peer, piece, count - picked, sink);
  }
  return picked;
}

function findOwn(state: PickerState, peer: Peer, takeOver: boolean): OpenPiece | undefined {
  for (const piece of state.partial) {
    if (!peer.has(piece.pieceIndex)) continue;
    if (piece.exclusive && piece.owner === peer.handle) return piece;
    if (takeOver && mayTakeOver(piece, peer)) return piece;
  }
  return undefined;
}

function own(piece: OpenPiece, peer: Peer): void {
  piece.exclusive = true;
  piece.owner = peer.handle;
}

function mayJoin(piece: OpenPiece, peer: Peer): boolean {
  return !piece.exclusive || piece.owner === NONE || piece.owner === peer.handle;
}

function mayTakeOver(piece: OpenPiece, peer: Peer): boolean {
  if (piece.exclusive && piece.owner === peer.handle) return true;
  return mayJoin(piece, peer) && piece.requestedCount === 0;
}

/** Asks for free blocks of a piece that has some, in their order. */
function takeFree(
  state: PickerState,
  peer: Peer,
  piece: OpenPiece,
  count: number,
  sink: PickSink,
): number {
  if (piece.exclusive) piece.owner = peer.handle;
  const { askers, pieceIndex } = piece;
  peer.current = piece;
  peer.currentPiece = pieceIndex;
  let taken = 0;
  let block = piece.firstFree;
  while (taken < count && piece.freeCount > 0) {
    while (askers[block] !== 0) block += 1;
    piece.firstFree = block;
    state.request(peer, piece, block);
    sink(pieceIndex, block);
    taken += 1;
  }
  return taken;
}
