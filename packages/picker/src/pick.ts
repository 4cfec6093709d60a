// What to ask a peer for: urgent pieces, then blocks of begun pieces, then a fresh piece by the strategy, then the
// end game. Each step takes as many blocks as it can and leaves the rest to the next.
import { pickDuplicates } from './endgame.ts';
import type { OpenPiece } from './open-piece.ts';
import type { Peer } from './peer.ts';
import { firstPiece, HIGH_BIT } from './piece-set.ts';
import { NONE } from './requests.ts';
import { HAVE, type PickerState } from './state.ts';
import { type PickOptions, type PickSink, PRIORITY_URGENT } from './view.ts';

/** Begun pieces looked at for a peer before a fresh one is begun; keeps the search short when thousands are begun. */
const PARTIALS_LOOKED_AT = 64;
/** A begun piece is left aside for a fresh one that so many times fewer peers have. */
const RARER_BY = 2;
/** Unless so many begun pieces have a free block already; libtorrent prefers begun pieces from there on, too. */
const PARTIALS_PER_PEER = 1.5;
/** A slow peer is the first supplier of no more begun pieces than this. */
const SLOW_PEER_PIECES = 2;
/** As in libtorrent (`initial_picker_threshold`): a rare piece comes slowly, and a peer with nothing can't trade. */
const RANDOM_FIRST = 4;

/** Asks the peer for up to `count` blocks and says for how many. */
export function pickBlocks(
  state: PickerState,
  peer: Peer,
  count: number,
  sink: PickSink,
  options: PickOptions,
): number {
  setSlow(state, peer, options.slow === true);
  if (!state.isInteresting(peer)) return 0;
  if (options.allowedFastOnly === true) return pickAllowedFast(state, peer, count, sink, options);
  if (options.parole === true) {
    const picked = pickAlone(state, peer, count, sink);
    return picked + takeOver(state, peer, count - picked, sink, options);
  }
  let picked = peer.slow ? 0 : takeOver(state, peer, count, sink, options, PRIORITY_URGENT);
  if (peer.dryVersion !== state.freeVersion) {
    // A reader waits for urgent pieces: a slow peer gets them when it is good for nothing else.
    if (!peer.slow) picked += pickUrgent(state, peer, count, sink);
    picked += pickByStrategy(state, peer, count - picked, sink);
    if (peer.slow) picked += pickUrgent(state, peer, count - picked, sink);
    const exhausted = picked < count && !peer.slow && !atOpenLimit(state, peer);
    if (exhausted) peer.dryVersion = state.freeVersion;
  }
  if (!peer.slow) picked += takeOver(state, peer, count - picked, sink, options);
  if (options.duplicateUrgent === true) {
    picked += pickDuplicates(state, peer, count - picked, sink, true);
  }
  if (racing(state, peer)) picked += pickDuplicates(state, peer, count - picked, sink, false);
  return picked;
}

/** Asks the peer for every free block of one piece, and says for how many. */
export function pickPieceBlocks(
  state: PickerState,
  peer: Peer,
  pieceIndex: number,
  sink: PickSink,
  options: PickOptions,
): number {
  if (!peer.has(pieceIndex) || !state.isWanted(pieceIndex)) return 0;
  if (state.slotOf[pieceIndex] === HAVE) return 0;
  const piece = state.openPieceOf(pieceIndex) ?? state.begin(pieceIndex, peer);
  const isAlone = options.parole === true;
  if (piece.freeCount === 0) return 0;
  if (!(isAlone ? mayTakeOver(state, piece, peer) : mayJoin(state, piece, peer))) return 0;
  if (isAlone) state.own(piece, peer);
  return takeFree(state, peer, piece, piece.freeCount, sink);
}

/** Blocks of begun pieces, then of fresh ones, as long as there are any. */
function pickByStrategy(state: PickerState, peer: Peer, count: number, sink: PickSink): number {
  let picked = 0;
  while (picked < count) {
    let piece = state.sequential ? undefined : findBegun(state, peer);
    if (piece === undefined && state.view.bbsPlus === true && !peer.slow) {
      picked += pickDuplicates(state, peer, count - picked, sink, false);
      if (picked === count) break;
    }
    piece ??= state.sequential ? nextInOrder(state, peer) : beginFresh(state, peer);
    piece ??= findPartial(state, peer, state.partial.length);
    if (piece === undefined) break;
    picked += takeFree(state, peer, piece, count - picked, sink);
  }
  return picked;
}

/** Pieces of priority 7, in the order of their index. */
function pickUrgent(state: PickerState, peer: Peer, count: number, sink: PickSink): number {
  const { urgent } = state;
  let picked = 0;
  for (let from = 0; picked < count && from < urgent.words.length; ) {
    const w = urgent.findWord(peer.pieces, from);
    if (w < from) break;
    let bits = urgent.common(peer.pieces, w);
    while (bits !== 0 && picked < count) {
      const pieceIndex = firstPiece(w, bits);
      bits &= ~(HIGH_BIT >>> (pieceIndex & 31));
      const piece = state.openPieceOf(pieceIndex) ?? state.begin(pieceIndex, peer);
      if (mayJoin(state, piece, peer)) picked += takeFree(state, peer, piece, count - picked, sink);
    }
    from = w + 1;
  }
  return picked;
}

/** What a slow peer holds alone others may take up. */
function setSlow(state: PickerState, peer: Peer, slow: boolean): void {
  if (peer.slow === slow) return;
  peer.slow = slow;
  state.freeVersion += 1;
}

function racing(state: PickerState, peer: Peer): boolean {
  if (peer.slow) return false;
  return state.view.bbsPlus === true || (state.view.endGame && state.inEndGame);
}

/** The piece the peer was asked for last, if it still has a block for it. */
function continuable(state: PickerState, peer: Peer): OpenPiece | undefined {
  const piece = peer.current;
  if (piece === undefined || piece.partialPosition === NONE) return undefined;
  if (piece.pieceIndex !== peer.currentPiece || !mayJoin(state, piece, peer)) return undefined;
  return piece;
}

function findBegun(state: PickerState, peer: Peer): OpenPiece | undefined {
  const current = continuable(state, peer);
  if (current !== undefined) return current;
  const begun = findPartial(state, peer, PARTIALS_LOOKED_AT);
  return begun === undefined ? undefined : (beginRarer(state, peer, begun) ?? begun);
}

/**
 * Joining others' pieces, a peer with the only copy of one would never be asked for it. So it begins a piece of its own
 * if that is much rarer than the begun one, as long as not many pieces are begun.
 */
function beginRarer(state: PickerState, peer: Peer, begun: OpenPiece): OpenPiece | undefined {
  const { availability, partial } = state;
  const limit = availability.of(begun.pieceIndex) / RARER_BY;
  if ((availability.rarest ?? Number.POSITIVE_INFINITY) > limit || !rarestNow(state))
    return undefined;
  if (partial.length > availability.peerCount * PARTIALS_PER_PEER) return undefined;
  const fresh = mayBegin(state, peer) ? findFresh(state, peer) : -1;
  if (fresh < 0 || availability.of(fresh) > limit) return undefined;
  const { priorities } = availability;
  if (priorities[fresh]! < priorities[begun.pieceIndex]!) return undefined;
  return state.begin(fresh, peer);
}

/** Sequential: the first piece of the highest priority, begun or fresh. */
function nextInOrder(state: PickerState, peer: Peer): OpenPiece | undefined {
  const begun = findPartial(state, peer, state.partial.length);
  const fresh = mayBegin(state, peer) ? findFresh(state, peer) : -1;
  if (fresh < 0 || (begun !== undefined && comesFirst(state, begun.pieceIndex, fresh)))
    return begun;
  return state.begin(fresh, peer);
}

function comesFirst(state: PickerState, pieceIndex: number, other: number): boolean {
  const { priorities } = state.availability;
  const byPriority = priorities[pieceIndex]! - priorities[other]!;
  return byPriority > 0 || (byPriority === 0 && pieceIndex < other);
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
    if (peer.slow && state.isUrgent(piece.pieceIndex)) continue;
    if (!peer.has(piece.pieceIndex) || !mayJoin(state, piece, peer)) continue;
    if (best === undefined) best = piece;
    else if (sequential) {
      if (comesFirst(state, piece.pieceIndex, best.pieceIndex)) best = piece;
    } else if (piece.freeCount < best.freeCount) best = piece;
  }
  return best;
}

function beginFresh(state: PickerState, peer: Peer): OpenPiece | undefined {
  const pieceIndex = mayBegin(state, peer) ? findFresh(state, peer) : -1;
  return pieceIndex < 0 ? undefined : state.begin(pieceIndex, peer);
}

function mayBegin(state: PickerState, peer: Peer): boolean {
  if (peer.slow && peer.begun >= SLOW_PEER_PIECES) return false;
  return !atOpenLimit(state, peer);
}

/** A fresh piece for the peer by the strategy in force, or -1. */
function findFresh(state: PickerState, peer: Peer): number {
  const { availability } = state;
  const top = peer.slow ? PRIORITY_URGENT - 1 : PRIORITY_URGENT;
  if (state.sequential) return availability.findFirst(peer, top);
  return rarestNow(state) ? availability.findRarest(peer, top) : availability.findRandom(peer, top);
}

function rarestNow({ view, sequential, begunEver }: PickerState): boolean {
  return view.rarestFirst && !sequential && begunEver >= (view.randomFirstPieces ?? RANDOM_FIRST);
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
  state.disown(peer); // what it holds alone it will not be asked for while it chokes us
  for (const pieceIndex of peer.allowedFast) {
    if (picked === count) break;
    if (!state.isWanted(pieceIndex) || !peer.has(pieceIndex)) continue;
    const slot = state.slotOf[pieceIndex]!;
    if (slot === HAVE) continue;
    const piece = slot >= 0 ? state.slots[slot]! : state.begin(pieceIndex, peer);
    if (piece.freeCount === 0) continue;
    const allowed =
      options.parole === true ? mayTakeOver(state, piece, peer) : mayJoin(state, piece, peer);
    if (!allowed) continue;
    if (options.parole === true) state.own(piece, peer);
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
    state.own(piece, peer);
    picked += takeFree(state, peer, piece, count - picked, sink);
  }
  return picked;
}

function findOwn(state: PickerState, peer: Peer, takeOver: boolean): OpenPiece | undefined {
  for (const piece of state.partial) {
    if (!peer.has(piece.pieceIndex)) continue;
    if (piece.exclusive && piece.owner === peer.handle) return piece;
    if (takeOver && mayTakeOver(state, piece, peer)) return piece;
  }
  return undefined;
}

/**
 * Begins a piece anew that another peer holds alone, if the owner of the picker lets this one have it. Of the urgent
 * pieces, or whatever their priority when there is nothing else to ask for.
 */
function takeOver(
  state: PickerState,
  peer: Peer,
  count: number,
  sink: PickSink,
  options: PickOptions,
  minPriority = 1,
): number {
  const { view, open, availability } = state;
  if (count <= 0 || state.ownerCount === 0 || view.takeOver === undefined) return 0;
  for (const piece of open) {
    const { pieceIndex, owner } = piece;
    if (owner === NONE || owner === peer.handle || !peer.has(pieceIndex)) continue;
    if (availability.priorities[pieceIndex]! < minPriority) continue;
    if (!view.takeOver(pieceIndex, owner, peer.handle)) continue;
    state.close(piece, NONE);
    const anew = state.begin(pieceIndex, peer);
    if (options.parole === true) state.own(anew, peer);
    return takeFree(state, peer, anew, count, sink);
  }
  return 0;
}

/** Whether the peer may be asked for blocks of a begun piece: one with an owner is left to it, unless it is slow. */
function mayJoin(state: PickerState, piece: OpenPiece, peer: Peer): boolean {
  const { exclusive, owner } = piece;
  if (!exclusive || owner === NONE || owner === peer.handle) return true;
  return state.peers[owner]!.slow;
}

function mayTakeOver(state: PickerState, piece: OpenPiece, peer: Peer): boolean {
  if (piece.exclusive && piece.owner === peer.handle) return true;
  return mayJoin(state, piece, peer) && piece.requestedCount === 0;
}

/** Asks for free blocks of a piece that has some, in their order. */
function takeFree(
  state: PickerState,
  peer: Peer,
  piece: OpenPiece,
  count: number,
  sink: PickSink,
): number {
  if (piece.exclusive) state.own(piece, peer);
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
