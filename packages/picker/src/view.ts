// What the picker asks of its owner, and the types both speak.

/** A peer as the picker knows it: a small integer, reused after `removePeer`. */
export type PeerHandle = number;

/** The few questions the picker asks its owner. */
export interface PickerView {
  /** How many pieces the torrent has. */
  readonly pieceCount: number;
  /** How many blocks a piece has (at least 1). */
  blockCount(pieceIndex: number): number;
  /**
   * The block is padding (BEP 47): its bytes are known, so it counts as received from the start and is asked of nobody. A
   * piece of nothing else is full once `markBlockHave` has been called for one of its blocks. Absent: no block is.
   */
  isPadding?(pieceIndex: number, blockIndex: number): boolean;
  /** Bytes of one block; only used for the statistics. Absent: 16 KiB. */
  blockLength?(pieceIndex: number, blockIndex: number): number;
  /**
   * A peer with nothing else to do could have a piece that is left to another one alone. True: it takes the piece over; what
   * has come of it and was asked for is forgotten, by the owner of the picker as well, and it begins anew. It must not call
   * the picker. Absent: never.
   */
  takeOver?(pieceIndex: number, owner: PeerHandle, newcomer: PeerHandle): boolean;
  /** A number in [0, 1) from a seeded source. */
  random(): number;
}

export interface PickerOptions extends PickerView {
  /** Rarest pieces first, ties by chance. False: pieces by chance. */
  readonly rarestFirst: boolean;
  /** Ask several peers for a block once every missing block has been asked for. */
  readonly endGame: boolean;
  /** End game from the first block on: begun pieces are raced for by every peer that has them. */
  readonly bbsPlus?: boolean;
  /** Pieces in the order of their index. Can be changed later. */
  readonly sequential?: boolean;
  /** So many pieces are chosen by chance before rarest first begins. Default 4. */
  readonly randomFirstPieces?: number;
  /**
   * Begun and unfinished pieces beyond which only a peer with nothing else to do begins another; a bound on the memory
   * for pieces in flight. Default: none.
   */
  readonly maxOpenPieces?: number;
  /** Blocks asked of a peer that another peer was asked for too, at a time. Default 32. */
  readonly maxDuplicatesPerPeer?: number;
}

/** How one peer may be asked, for one call of `pick`. */
export interface PickOptions {
  /** The peer chokes us: only pieces it allowed (BEP 6). */
  readonly allowedFastOnly?: boolean;
  /** The peer is under suspicion: only pieces that it alone supplies. */
  readonly parole?: boolean;
  /** The peer is slow: it begins no more than two pieces at a time and takes no part in the end game. */
  readonly slow?: boolean;
  /** A reader waits: blocks of priority 7 may be asked again although other peers were asked. */
  readonly duplicateUrgent?: boolean;
}

/** Told of every block to ask for. It must not call the picker. */
export type PickSink = (pieceIndex: number, blockIndex: number) => void;

/** Told of every other peer that was asked for a block that has come. It must not call the picker. */
export type CancelSink = (peer: PeerHandle, pieceIndex: number, blockIndex: number) => void;

/** Counts since the picker was made. */
export interface PickerStatistics {
  readonly requestedBlocks: number;
  readonly receivedBlocks: number;
  readonly duplicateBlocks: number;
  readonly duplicateBytes: number;
  readonly cancelledBlocks: number;
  readonly failedPieces: number;
}

/** The highest piece priority: such pieces come before all others, in the order of their index. */
export const PRIORITY_URGENT = 7;
/** The priority every piece begins with. */
export const PRIORITY_DEFAULT = 4;
