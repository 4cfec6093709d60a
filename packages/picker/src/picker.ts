// Which block to ask of which peer (BEP 3, "rarest first"; BEP 6, allowed fast): the face of the package. It checks
// arguments and keeps peers; the book is in state.ts, the order of choices in pick.ts.
import { PickerError } from './errors.ts';
import { addPiece, clearPieces, setPieces, setSeed } from './holdings.ts';
import { RECEIVED } from './open-piece.ts';
import { Peer } from './peer.ts';
import { pickBlocks, pickPieceBlocks } from './pick.ts';
import { bitsFromBytes, firstPiece } from './piece-set.ts';
import { NONE } from './requests.ts';
import { HAVE, PickerState } from './state.ts';
import type {
  CancelSink,
  PeerHandle,
  PickerOptions,
  PickerStatistics,
  PickOptions,
  PickSink,
} from './view.ts';

/** Allowed-fast pieces remembered per peer; BEP 6 suggests sets of 10. */
const MAX_ALLOWED_FAST = 64;
const NO_OPTIONS: PickOptions = {};
const DEFAULT_BLOCK_LENGTH = 16_384;

/** The book behind a picker, for the invariant check of the tests. */
export let stateOf: (picker: Picker) => PickerState;

export class Picker {
  readonly #state: PickerState;
  readonly #freeHandles: PeerHandle[] = [];

  static {
    stateOf = (picker) => picker.#state;
  }

  /** All pieces are missing and wanted with priority 4. */
  constructor(options: PickerOptions) {
    if (!Number.isInteger(options.pieceCount) || options.pieceCount < 0) {
      throw new PickerError('bad-argument', `pieceCount is no count: ${options.pieceCount}`);
    }
    this.#state = new PickerState(options);
  }

  // -- peers ---------------------------------------------------------------------------------------------------------

  /** A peer that has nothing yet. The handle is a small integer, used again after `removePeer`. */
  addPeer(): PeerHandle {
    const state = this.#state;
    const handle = this.#freeHandles.pop() ?? state.peers.length;
    state.peers[handle] = new Peer(handle);
    state.availability.addPeer();
    return handle;
  }

  /** The peer is gone: what was asked of it is free again. */
  removePeer(peer: PeerHandle): void {
    const state = this.#state;
    const gone = this.#peer(peer);
    for (const piece of state.open) if (piece.beginner === peer) piece.beginner = NONE;
    this.releaseAll(peer);
    clearPieces(state, gone);
    state.availability.removePeer();
    state.peers[peer] = undefined;
    this.#freeHandles.push(peer);
  }

  /** The peer has one more piece. Hearing so twice changes nothing. */
  peerHave(peer: PeerHandle, pieceIndex: number): void {
    this.#checkPiece(pieceIndex);
    addPiece(this.#state, this.#peer(peer), pieceIndex);
  }

  /**
   * All the peer has, instead of what was known: a BEP 3 bitfield, the high bit of the first byte is piece 0. Spare bits
   * are ignored. Throws a PickerError when the length is wrong.
   */
  peerBitfield(peer: PeerHandle, bits: Uint8Array): void {
    const { pieceCount } = this.#state;
    if (bits.length !== (pieceCount + 7) >>> 3) {
      const what = `a bitfield of ${bits.length} bytes for ${pieceCount} pieces`;
      throw new PickerError('bad-argument', what);
    }
    setPieces(this.#state, this.#peer(peer), bitsFromBytes(bits, pieceCount));
  }

  /** The peer has every piece. */
  peerHaveAll(peer: PeerHandle): void {
    setSeed(this.#state, this.#peer(peer));
  }

  /** The peer has nothing. */
  peerHaveNone(peer: PeerHandle): void {
    clearPieces(this.#state, this.#peer(peer));
  }

  /** The peer lets us ask for this piece while it chokes us (BEP 6). More than 64 such pieces are ignored. */
  peerAllowedFast(peer: PeerHandle, pieceIndex: number): void {
    const { allowedFast } = this.#peer(peer);
    this.#checkPiece(pieceIndex);
    if (allowedFast.length < MAX_ALLOWED_FAST && !allowedFast.includes(pieceIndex)) {
      allowedFast.push(pieceIndex);
    }
  }

  /** The peer has a piece that is wanted and missing. Constant time on average. */
  isInteresting(peer: PeerHandle): boolean {
    return this.#state.isInteresting(this.#peer(peer));
  }

  isSeed(peer: PeerHandle): boolean {
    return this.#peer(peer).isSeed;
  }

  peerHas(peer: PeerHandle, pieceIndex: number): boolean {
    return this.#peer(peer).has(pieceIndex);
  }

  /** How many pieces the peer has. */
  peerPieceCount(peer: PeerHandle): number {
    const holder = this.#peer(peer);
    return holder.isSeed ? this.#state.pieceCount : (holder.pieces?.size ?? 0);
  }

  // -- blocks --------------------------------------------------------------------------------------------------------

  /**
   * Chooses up to `count` more blocks to ask of the peer, writes them down as asked and tells `sink` of each. Returns
   * how many.
   */
  pick(peer: PeerHandle, count: number, sink: PickSink, options: PickOptions = NO_OPTIONS): number {
    return pickBlocks(this.#state, this.#peer(peer), count, sink, options);
  }

  /**
   * As `pick`, but every free block of one piece, in their order: for a source that is read from one place on, such as a
   * web seed. Nothing of a piece that is had, not wanted, not the peer's, or left to another peer alone.
   */
  pickPiece(
    peer: PeerHandle,
    pieceIndex: number,
    sink: PickSink,
    options: PickOptions = NO_OPTIONS,
  ): number {
    this.#checkPiece(pieceIndex);
    return pickPieceBlocks(this.#state, this.#peer(peer), pieceIndex, sink, options);
  }

  /**
   * A block has come from the peer, whether or not it was (still) asked for it. 'accepted': it was missing; `cancel` is
   * told of every other peer that was asked for it. 'duplicate': it was there already, and is counted.
   */
  markReceived(
    peer: PeerHandle,
    pieceIndex: number,
    blockIndex: number,
    cancel: CancelSink,
  ): 'accepted' | 'duplicate' {
    const state = this.#state;
    this.#checkBlock(pieceIndex, blockIndex);
    const sender = this.#peer(peer);
    const had = state.slotOf[pieceIndex] === HAVE;
    const piece = had
      ? undefined
      : (state.openPieceOf(pieceIndex) ?? state.begin(pieceIndex, sender));
    if (piece === undefined || piece.askers[blockIndex] === RECEIVED) {
      if (piece?.isUntouched === true) state.close(piece, NONE); // it was begun for padding
      state.duplicateBlocks += 1;
      state.duplicateBytes +=
        state.view.blockLength?.(pieceIndex, blockIndex) ?? DEFAULT_BLOCK_LENGTH;
      return 'duplicate';
    }
    state.receivedBlocks += 1;
    state.receive(peer, piece, blockIndex, cancel);
    return 'accepted';
  }

  /**
   * The peer will not send the block (a reject, a time-out). Nothing happens if it was not asked for it. With its last
   * request it gives up the pieces that only it was asked for.
   */
  releaseRequest(peer: PeerHandle, pieceIndex: number, blockIndex: number): void {
    this.#checkBlock(pieceIndex, blockIndex);
    const record = this.#findRequest(peer, pieceIndex, blockIndex);
    if (record === NONE) return;
    this.#state.release(record);
    this.#state.disown(this.#peer(peer));
  }

  /** The peer will send nothing of what it was asked for (it choked us, it snubs us, it is gone). */
  releaseAll(peer: PeerHandle): void {
    const state = this.#state;
    const holder = this.#peer(peer);
    while (holder.firstRequest !== NONE) state.release(holder.firstRequest);
    state.disown(holder);
  }

  /** The peer was asked for this block and has not answered. */
  isRequested(peer: PeerHandle, pieceIndex: number, blockIndex: number): boolean {
    this.#checkBlock(pieceIndex, blockIndex);
    return this.#findRequest(peer, pieceIndex, blockIndex) !== NONE;
  }

  /** Blocks asked of the peer that have not come. */
  outstanding(peer: PeerHandle): number {
    return this.#peer(peer).outstanding;
  }

  /** The block is there: received, padding, or part of a piece we have. */
  hasBlock(pieceIndex: number, blockIndex: number): boolean {
    this.#checkBlock(pieceIndex, blockIndex);
    if (this.#state.slotOf[pieceIndex] === HAVE) return true;
    if (this.#state.view.isPadding?.(pieceIndex, blockIndex) === true) return true;
    return this.#state.openPieceOf(pieceIndex)?.askers[blockIndex] === RECEIVED;
  }

  // -- pieces --------------------------------------------------------------------------------------------------------

  /** A block of the piece may be taken from the peer: it is not left to another one alone, nor about to be. */
  mayReceive(peer: PeerHandle, pieceIndex: number): boolean {
    this.#checkPiece(pieceIndex);
    const piece = this.#state.openPieceOf(pieceIndex);
    if (piece === undefined) return !this.#state.suspects.has(pieceIndex);
    return !piece.exclusive || piece.owner === peer;
  }

  /** Every block of the piece has come and it awaits `piecePassed` or `pieceFailed`. */
  isFull(pieceIndex: number): boolean {
    this.#checkPiece(pieceIndex);
    return this.#state.openPieceOf(pieceIndex)?.isFull ?? false;
  }

  hasPiece(pieceIndex: number): boolean {
    this.#checkPiece(pieceIndex);
    return this.#state.slotOf[pieceIndex] === HAVE;
  }

  /** The piece is missing and wanted, no block of it has come, and nobody was asked for one. */
  isFresh(pieceIndex: number): boolean {
    this.#checkPiece(pieceIndex);
    return this.#state.slotOf[pieceIndex] === NONE && this.#state.isWanted(pieceIndex);
  }

  /** The first piece of priority 7 with a block that nobody was asked for; undefined when there is none. */
  get firstUrgent(): number | undefined {
    const { urgent } = this.#state;
    const word = urgent.findWord(undefined, 0);
    return word < 0 ? undefined : firstPiece(word, urgent.words[word]!);
  }

  /** The piece's hash is right: we have it. */
  piecePassed(pieceIndex: number): void {
    this.markHave(pieceIndex);
  }

  /** The piece's hash is wrong: all its blocks are wanted again, from one peer at a time until it passes. */
  pieceFailed(pieceIndex: number): void {
    this.#checkPiece(pieceIndex);
    const state = this.#state;
    if (state.slotOf[pieceIndex] === HAVE) return;
    state.failedPieces += 1;
    state.suspects.add(pieceIndex);
    this.forgetPiece(pieceIndex);
  }

  /** The received blocks of a begun piece are lost (through no peer's fault): they are wanted again. */
  forgetPiece(pieceIndex: number): void {
    this.#checkPiece(pieceIndex);
    const piece = this.#state.openPieceOf(pieceIndex);
    if (piece !== undefined) this.#state.close(piece, NONE);
  }

  /** We have the piece (found on disk, or passed). */
  markHave(pieceIndex: number): void {
    this.#checkPiece(pieceIndex);
    const state = this.#state;
    if (state.slotOf[pieceIndex] === HAVE) return;
    const piece = state.openPieceOf(pieceIndex);
    if (piece !== undefined) state.close(piece, HAVE);
    else {
      if (state.isWanted(pieceIndex)) state.removeFresh(pieceIndex);
      state.slotOf[pieceIndex] = HAVE;
    }
    if (state.isWanted(pieceIndex)) state.wanted.delete(pieceIndex);
    state.suspects.delete(pieceIndex);
    state.missingCount -= 1;
  }

  /** We have this block of a missing piece (found on disk). */
  markBlockHave(pieceIndex: number, blockIndex: number): void {
    this.#checkBlock(pieceIndex, blockIndex);
    const state = this.#state;
    if (state.slotOf[pieceIndex] === HAVE) return;
    const piece = state.openPieceOf(pieceIndex) ?? state.begin(pieceIndex, undefined);
    if (piece.askers[blockIndex] !== RECEIVED) state.receive(NONE, piece, blockIndex, undefined);
    else if (piece.isUntouched) state.close(piece, NONE); // it was begun for padding
  }

  /** A piece we had is damaged: it is missing again. */
  loseHave(pieceIndex: number): void {
    this.#checkPiece(pieceIndex);
    const state = this.#state;
    if (state.slotOf[pieceIndex] !== HAVE) return;
    state.slotOf[pieceIndex] = NONE;
    state.missingCount += 1;
    if (!state.isWanted(pieceIndex)) return;
    state.addWanted(pieceIndex);
    state.addFresh(pieceIndex);
  }

  /** 0: not wanted; 1 to 6: higher first among fresh pieces; 7: before everything else, in the order of the index. */
  setPiecePriority(pieceIndex: number, priority: number): void {
    this.#checkPiece(pieceIndex);
    if (!Number.isInteger(priority) || priority < 0 || priority > 7) {
      throw new PickerError('bad-argument', `a priority is 0 to 7, not ${priority}`);
    }
    this.#state.setPriority(pieceIndex, priority);
  }

  piecePriority(pieceIndex: number): number {
    this.#checkPiece(pieceIndex);
    return this.#state.availability.priorities[pieceIndex]!;
  }

  setSequential(sequential: boolean): void {
    this.#state.sequential = sequential;
  }

  /** How many connected peers have the piece. */
  availability(pieceIndex: number): number {
    this.#checkPiece(pieceIndex);
    return this.#state.availability.of(pieceIndex);
  }

  /** The lowest availability of a missing, wanted and not begun piece; undefined when there is none. */
  get rarestAvailability(): number | undefined {
    return this.#state.availability.rarest;
  }

  /** Pieces we do not have. */
  get missingCount(): number {
    return this.#state.missingCount;
  }

  /** Pieces we do not have and want. */
  get wantedMissing(): number {
    return this.#state.wanted.size;
  }

  /** Pieces that are begun and not full. */
  get openPieceCount(): number {
    return this.#state.open.length;
  }

  /** Every wanted block that some connected peer has was asked for. */
  get inEndGame(): boolean {
    return this.#state.inEndGame;
  }

  /** We have every piece, wanted or not. */
  get isComplete(): boolean {
    return this.#state.missingCount === 0;
  }

  get statistics(): PickerStatistics {
    const state = this.#state;
    return {
      requestedBlocks: state.requestedBlocks,
      receivedBlocks: state.receivedBlocks,
      duplicateBlocks: state.duplicateBlocks,
      duplicateBytes: state.duplicateBytes,
      cancelledBlocks: state.cancelledBlocks,
      failedPieces: state.failedPieces,
    };
  }

  #peer(handle: PeerHandle): Peer {
    const peer = this.#state.peers[handle];
    if (peer === undefined) throw new PickerError('unknown-peer', `no peer has handle ${handle}`);
    return peer;
  }

  #checkPiece(pieceIndex: number): void {
    if (pieceIndex >>> 0 === pieceIndex && pieceIndex < this.#state.pieceCount) return;
    throw new PickerError('piece-out-of-range', `no piece has index ${pieceIndex}`);
  }

  #checkBlock(pieceIndex: number, blockIndex: number): void {
    this.#checkPiece(pieceIndex);
    const count =
      this.#state.openPieceOf(pieceIndex)?.blockCount ?? this.#state.view.blockCount(pieceIndex);
    if (blockIndex >>> 0 === blockIndex && blockIndex < count) return;
    throw new PickerError('block-out-of-range', `piece ${pieceIndex} has no block ${blockIndex}`);
  }

  #findRequest(peer: PeerHandle, pieceIndex: number, blockIndex: number): number {
    const holder = this.#peer(peer);
    const piece = this.#state.openPieceOf(pieceIndex);
    return piece === undefined ? NONE : this.#state.findRequest(holder, piece, blockIndex);
  }
}
