// What peers have: keeps a peer's bitmap, the availability and the list of leechers in step.
import type { Peer } from './peer.ts';
import { PieceSet } from './piece-set.ts';
import { NONE } from './requests.ts';
import type { PickerState } from './state.ts';

/** The peer has one more piece; hearing so twice changes nothing. */
export function addPiece(state: PickerState, peer: Peer, pieceIndex: number): void {
  if (peer.isSeed) return;
  const pieces = peer.pieces ?? enlist(state, peer, new PieceSet(state.pieceCount));
  if (pieces.has(pieceIndex)) return;
  pieces.add(pieceIndex);
  state.availability.have(pieceIndex);
  if (state.wanted.has(pieceIndex)) {
    peer.witness = pieceIndex;
    state.availability.lowerCursor(peer, pieceIndex);
    peer.searchAgain();
  }
  if (pieces.size < state.pieceCount) return;
  // Its pieces were counted one by one and stay so; as a seed it leaves by `base`, which takes one off each.
  delist(state, peer);
  peer.isSeed = true;
}

/** The peer has these pieces, some or all, and no others. */
export function setPieces(state: PickerState, peer: Peer, pieces: PieceSet): void {
  if (pieces.size === state.pieceCount) {
    setSeed(state, peer);
    return;
  }
  clearPieces(state, peer);
  if (pieces.size === 0) return;
  enlist(state, peer, pieces);
  const { availability } = state;
  availability.join(pieces);
  peer.cursors.fill(-availability.base - availability.cursorShift);
  peer.searchAgain();
}

/** The peer has every piece. */
export function setSeed(state: PickerState, peer: Peer): void {
  if (peer.isSeed) return;
  clearPieces(state, peer);
  peer.isSeed = true;
  state.availability.addSeed();
  peer.searchAgain();
}

/** The peer has nothing (any more). */
export function clearPieces(state: PickerState, peer: Peer): void {
  if (peer.isSeed) state.availability.removeSeed();
  else if (peer.pieces !== undefined) state.availability.leave(peer.pieces);
  delist(state, peer);
  peer.isSeed = false;
}

function enlist(state: PickerState, peer: Peer, pieces: PieceSet): PieceSet {
  peer.pieces = pieces;
  peer.leecherPosition = state.leechers.length;
  state.leechers.push(peer);
  return pieces;
}

function delist(state: PickerState, peer: Peer): void {
  peer.pieces = undefined;
  peer.witness = NONE;
  peer.current = undefined;
  if (peer.leecherPosition === NONE) return;
  const { leechers } = state;
  const last = leechers.pop()!;
  if (last !== peer) {
    leechers[peer.leecherPosition] = last;
    last.leecherPosition = peer.leecherPosition;
  }
  peer.leecherPosition = NONE;
}
