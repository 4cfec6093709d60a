// What the picker knows of one peer: which pieces it has, what was asked of it, and where its searches stand.

import type { OpenPiece } from './open-piece.ts';
import type { PieceSet } from './piece-set.ts';
import { NONE } from './requests.ts';
import type { PeerHandle } from './view.ts';

export class Peer {
  readonly handle: PeerHandle;
  /** It has every piece; `pieces` is then undefined, so that a seed costs no memory. */
  isSeed = false;
  pieces: PieceSet | undefined;
  /** A piece of its that was wanted and missing when it was last asked whether there is one, or NONE. */
  witness = NONE;
  /** `PickerState.wantedVersion` when no such piece was found; none can be there until it moves. */
  boringVersion = NONE;
  /** Where it stands in the list of peers that are no seeds and have a piece. */
  leecherPosition = NONE;

  /** Its newest request; the list goes on in the request table. */
  firstRequest = NONE;
  outstanding = 0;
  /** Of these, blocks that had been asked of another peer before. */
  duplicates = 0;

  /** The piece it was last asked for, and the slot's tenant then: slots are used again. */
  current: OpenPiece | undefined;
  currentPiece = NONE;
  /** It was called slow when it was last asked for blocks. */
  slow = false;
  /** There may be begun pieces that it alone is asked for. */
  isOwner = false;
  /** Begun and unfinished pieces that it was the first to be asked for. */
  begun = 0;
  /** Pieces it may be asked for while it chokes us (BEP 6). */
  allowedFast: number[] = [];

  /**
   * Per priority, a counter (less `Availability.cursorShift`) below which no fresh piece is one of this peer's: where
   * the search for a rare piece begins.
   */
  readonly cursors = new Int32Array(8);
  /** `PickerState.freeVersion` when a search found nothing free for this peer; nothing new can be found until it moves. */
  dryVersion = NONE;
  /** `PickerState.requestVersion` when a search found nothing to duplicate for this peer. */
  raceDryVersion = NONE;
  /** No block of this peer's was asked of fewer peers than this, as of `raceVersion`, a `PickerState.freeVersion`. */
  raceFloor = 1;
  raceVersion = NONE;

  constructor(handle: PeerHandle) {
    this.handle = handle;
  }

  has(pieceIndex: number): boolean {
    return this.isSeed || (this.pieces?.has(pieceIndex) ?? false);
  }

  /** Its holdings changed: what was not found before may be there now. */
  searchAgain(): void {
    this.boringVersion = NONE;
    this.dryVersion = NONE;
    this.raceDryVersion = NONE;
    this.raceVersion = NONE;
  }
}
