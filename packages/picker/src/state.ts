// The book every strategy reads and writes: which pieces are had, fresh or begun, and which block was asked of whom.
// It keeps the counts and lists in step; what to ask for is decided elsewhere.
import { Availability } from './availability.ts';
import { PickerError } from './errors.ts';
import { OpenPiece, RECEIVED } from './open-piece.ts';
import type { Peer } from './peer.ts';
import { firstPiece, PieceSet } from './piece-set.ts';
import { NONE, RequestTable } from './requests.ts';
import { type CancelSink, type PickerOptions, PRIORITY_URGENT } from './view.ts';

/** In `slotOf`: the piece is had. Otherwise NONE, or the slot of a begun piece. */
export const HAVE = -2;

export class PickerState {
  readonly view: PickerOptions;
  readonly pieceCount: number;
  readonly availability: Availability;
  readonly requests = new RequestTable();
  readonly slotOf: Int32Array;
  readonly slots: OpenPiece[] = [];
  /** Wanted and missing pieces. */
  readonly wanted: PieceSet;
  /** Pieces of the highest priority with a block to ask for. */
  readonly urgent: PieceSet;
  /** Begun pieces that are not full. */
  readonly open: OpenPiece[] = [];
  /** Of these, the wanted ones with a free block. */
  readonly partial: OpenPiece[] = [];
  /** Pieces that failed their hash and have not passed since. */
  readonly suspects = new Set<number>();
  readonly peers: (Peer | undefined)[] = [];
  /** Peers to which pieces may be left alone. */
  ownerCount = 0;
  /** Peers that have some pieces, but not all. */
  readonly leechers: Peer[] = [];
  missingCount: number;
  /** Goes up when a piece becomes wanted and missing that was not. */
  wantedVersion = 0;
  /** Goes up when a block becomes free that was not. */
  freeVersion = 0;
  /** Goes up when a block becomes one that another peer may be asked for too. */
  requestVersion = 0;

  sequential: boolean;
  requestedBlocks = 0;
  receivedBlocks = 0;
  duplicateBlocks = 0;
  duplicateBytes = 0;
  cancelledBlocks = 0;
  failedPieces = 0;
  readonly #freeSlots: OpenPiece[] = [];

  constructor(view: PickerOptions) {
    this.view = view;
    this.pieceCount = view.pieceCount;
    this.availability = new Availability(view.pieceCount, () => view.random());
    this.slotOf = new Int32Array(view.pieceCount).fill(NONE);
    this.wanted = new PieceSet(view.pieceCount);
    this.urgent = new PieceSet(view.pieceCount);
    for (let p = 0; p < view.pieceCount; p += 1) this.wanted.add(p);
    this.missingCount = view.pieceCount;
    this.sequential = view.sequential ?? false;
  }

  isWanted(pieceIndex: number): boolean {
    return this.availability.priorities[pieceIndex]! > 0;
  }

  isUrgent(pieceIndex: number): boolean {
    return this.availability.priorities[pieceIndex] === PRIORITY_URGENT;
  }

  /** Pieces that are had or begun. */
  get begunEver(): number {
    return this.pieceCount - this.missingCount + this.slots.length - this.#freeSlots.length;
  }

  /** The begun piece, or undefined when it is fresh, unwanted and not begun, or had. */
  openPieceOf(pieceIndex: number): OpenPiece | undefined {
    const slot = this.slotOf[pieceIndex]!;
    return slot >= 0 ? this.slots[slot] : undefined;
  }

  begin(pieceIndex: number, beginner: Peer | undefined): OpenPiece {
    const blockCount = this.view.blockCount(pieceIndex);
    if (!(blockCount >= 1)) {
      throw new PickerError('bad-argument', `piece ${pieceIndex} has ${blockCount} blocks`);
    }
    if (this.isWanted(pieceIndex)) this.removeFresh(pieceIndex);
    let piece = this.#freeSlots.pop();
    if (piece === undefined) {
      piece = new OpenPiece(this.slots.length);
      this.slots.push(piece);
    }
    piece.reset(pieceIndex, blockCount);
    this.#markPadding(piece);
    piece.exclusive = this.suspects.has(pieceIndex);
    this.slotOf[pieceIndex] = piece.slot;
    if (beginner !== undefined) {
      piece.beginner = beginner.handle;
      beginner.begun += 1;
    }
    piece.openPosition = this.open.length;
    this.open.push(piece);
    this.relist(piece);
    if (piece.isFull) this.#leaveOpen(piece);
    return piece;
  }

  /** Forgets a begun piece with all its blocks and requests; `next` is what the piece is from now on. */
  close(piece: OpenPiece, next: typeof NONE | typeof HAVE): void {
    const { pieceIndex } = piece;
    for (let b = 0; b < piece.blockCount; b += 1) {
      while (piece.heads[b] !== NONE) this.#unlink(piece, piece.heads[b]!);
    }
    this.#leaveOpen(piece);
    if (piece.partialPosition !== NONE) this.#leavePartial(piece);
    this.slotOf[pieceIndex] = next;
    piece.pieceIndex = NONE;
    this.#freeSlots.push(piece);
    if (this.isWanted(pieceIndex)) {
      if (next === NONE) this.addFresh(pieceIndex);
      else if (this.urgent.has(pieceIndex)) this.urgent.delete(pieceIndex);
    }
  }

  /** A missing, wanted piece that is not begun (again). */
  addFresh(pieceIndex: number): void {
    const { availability } = this;
    availability.insert(pieceIndex);
    const priority = availability.priorities[pieceIndex]!;
    if (priority === PRIORITY_URGENT && !this.urgent.has(pieceIndex)) this.urgent.add(pieceIndex);
    for (const peer of this.leechers) availability.lowerCursor(peer, pieceIndex);
    this.freeVersion += 1;
  }

  removeFresh(pieceIndex: number): void {
    this.availability.remove(pieceIndex);
    if (this.urgent.has(pieceIndex)) this.urgent.delete(pieceIndex);
  }

  /** Puts a begun piece into the lists it belongs to, or out of them. */
  relist(piece: OpenPiece): void {
    const askable = piece.freeCount > 0 && this.isWanted(piece.pieceIndex);
    if (askable && piece.partialPosition === NONE) {
      piece.partialPosition = this.partial.length;
      this.partial.push(piece);
    } else if (!askable && piece.partialPosition !== NONE) this.#leavePartial(piece);
    const urgent = askable && this.isUrgent(piece.pieceIndex);
    if (urgent !== this.urgent.has(piece.pieceIndex)) {
      if (urgent) this.urgent.add(piece.pieceIndex);
      else this.urgent.delete(piece.pieceIndex);
    }
  }

  /** Writes down that the peer is asked for a block that has not come and was not asked of it. */
  request(peer: Peer, piece: OpenPiece, block: number): void {
    const { requests } = this;
    const record = requests.take(peer.handle, piece.slot, block);
    requests.nextOfBlock[record] = piece.heads[block]!;
    piece.heads[block] = record;
    const newest = peer.firstRequest;
    requests.nextOfPeer[record] = newest;
    requests.previousOfPeer[record] = NONE;
    if (newest !== NONE) requests.previousOfPeer[newest] = record;
    peer.firstRequest = record;
    peer.outstanding += 1;
    this.requestedBlocks += 1;
    const asked = piece.askers[block]!;
    piece.askers[block] = asked + 1;
    requests.duplicate[record] = asked > 0 ? 1 : 0;
    if (asked > 0) peer.duplicates += 1;
    else {
      this.requestVersion += 1;
      piece.freeCount -= 1;
      if (piece.firstFree === block) piece.firstFree = block + 1;
      if (piece.freeCount === 0) this.relist(piece);
    }
  }

  /** The record of the peer's request for this block, or NONE. */
  findRequest(peer: Peer, piece: OpenPiece, block: number): number {
    const { requests } = this;
    let record = piece.heads[block]!;
    while (record !== NONE && requests.peer[record] !== peer.handle) {
      record = requests.nextOfBlock[record]!;
    }
    return record;
  }

  /** Takes a request back. The piece is closed if nothing of it has come and nobody is asked for it any more. */
  release(record: number): void {
    const piece = this.slots[this.requests.slot[record]!]!;
    const block = this.requests.block[record]!;
    this.#unlink(piece, record);
    const asked = piece.askers[block]! - 1;
    piece.askers[block] = asked;
    this.freeVersion += 1;
    this.requestVersion += 1;
    if (asked > 0) return;
    piece.freeCount += 1;
    if (block < piece.firstFree) piece.firstFree = block;
    if (piece.isUntouched) this.close(piece, NONE);
    else if (piece.freeCount === 1) this.relist(piece);
  }

  /** The piece is left to the peer alone. */
  own(piece: OpenPiece, peer: Peer): void {
    piece.exclusive = true;
    piece.owner = peer.handle;
    if (!peer.isOwner) this.ownerCount += 1;
    peer.isOwner = true;
  }

  /** A peer that is asked for nothing any more holds no piece alone. */
  disown(peer: Peer): void {
    if (!peer.isOwner || peer.outstanding > 0) return;
    peer.isOwner = false;
    this.ownerCount -= 1;
    for (const piece of this.open) if (piece.owner === peer.handle) piece.owner = NONE;
    this.freeVersion += 1;
  }

  /** The block has come; everybody else who was asked for it is told to `cancel`. */
  receive(sender: number, piece: OpenPiece, block: number, cancel: CancelSink | undefined): void {
    const asked = piece.askers[block]!;
    piece.askers[block] = RECEIVED;
    piece.receivedCount += 1;
    if (asked === 0) {
      piece.freeCount -= 1;
      if (piece.freeCount === 0) this.relist(piece);
    }
    if (piece.isFull) this.#leaveOpen(piece);
    while (piece.heads[block] !== NONE) {
      const record = piece.heads[block]!;
      const other = this.requests.peer[record]!;
      this.#unlink(piece, record);
      if (other === sender) continue;
      this.cancelledBlocks += 1;
      cancel?.(other, piece.pieceIndex, block);
    }
  }

  /** A piece becomes wanted and missing. */
  addWanted(pieceIndex: number): void {
    this.wanted.add(pieceIndex);
    this.wantedVersion += 1;
  }

  /**
   * The peer has a piece that is wanted and missing. One such piece is remembered per peer and looked for again, from
   * there on, only when it is no more: in a whole download each peer's bitmap is walked about once.
   */
  isInteresting(peer: Peer): boolean {
    const { wanted } = this;
    if (peer.isSeed) return wanted.size > 0;
    if (peer.witness !== NONE && wanted.has(peer.witness)) return true;
    if (peer.pieces === undefined || peer.boringVersion === this.wantedVersion) return false;
    const w = wanted.findWord(peer.pieces, Math.max(0, peer.witness) >>> 5);
    if (w >= 0) peer.witness = firstPiece(w, wanted.common(peer.pieces, w));
    else peer.boringVersion = this.wantedVersion;
    return w >= 0;
  }

  setPriority(pieceIndex: number, priority: number): void {
    const { priorities } = this.availability;
    const before = priorities[pieceIndex]!;
    const slot = this.slotOf[pieceIndex]!;
    if (before === priority || slot === HAVE) {
      priorities[pieceIndex] = priority;
      return;
    }
    if (slot === NONE && before > 0) this.removeFresh(pieceIndex);
    priorities[pieceIndex] = priority;
    if (before === 0) this.addWanted(pieceIndex);
    if (priority === 0) this.wanted.delete(pieceIndex);
    if (slot === NONE && priority > 0) this.addFresh(pieceIndex);
    if (slot >= 0) this.relist(this.slots[slot]!);
    this.freeVersion += 1;
    this.requestVersion += 1;
  }

  /** Every missing and wanted block that some peer has was asked for, or is left to one peer alone. */
  get inEndGame(): boolean {
    const { availability, partial } = this;
    if (this.wanted.size === 0 || availability.reachableFreshCount > 0) return false;
    for (const piece of partial) {
      if (piece.owner === NONE && availability.of(piece.pieceIndex) > 0) return false;
    }
    return true;
  }

  #markPadding(piece: OpenPiece): void {
    const { view } = this;
    if (view.isPadding === undefined) return;
    for (let block = 0; block < piece.blockCount; block += 1) {
      if (view.isPadding(piece.pieceIndex, block)) piece.markPadding(block);
    }
  }

  #unlink(piece: OpenPiece, record: number): void {
    const { requests } = this;
    const block = requests.block[record]!;
    const next = requests.nextOfBlock[record]!;
    if (piece.heads[block] === record) piece.heads[block] = next;
    else {
      let before = piece.heads[block]!;
      while (requests.nextOfBlock[before] !== record) before = requests.nextOfBlock[before]!;
      requests.nextOfBlock[before] = next;
    }
    const peer = this.peers[requests.peer[record]!]!;
    const newer = requests.previousOfPeer[record]!;
    const older = requests.nextOfPeer[record]!;
    if (newer === NONE) peer.firstRequest = older;
    else requests.nextOfPeer[newer] = older;
    if (older !== NONE) requests.previousOfPeer[older] = newer;
    peer.outstanding -= 1;
    if (requests.duplicate[record] === 1) peer.duplicates -= 1;
    requests.give(record);
  }

  #leaveOpen(piece: OpenPiece): void {
    if (piece.openPosition === NONE) return;
    const last = this.open.pop()!;
    if (last !== piece) {
      this.open[piece.openPosition] = last;
      last.openPosition = piece.openPosition;
    }
    piece.openPosition = NONE;
    if (piece.beginner === NONE) return;
    this.peers[piece.beginner]!.begun -= 1;
    piece.beginner = NONE;
  }

  #leavePartial(piece: OpenPiece): void {
    const last = this.partial.pop()!;
    if (last !== piece) {
      this.partial[piece.partialPosition] = last;
      last.partialPosition = piece.partialPosition;
    }
    piece.partialPosition = NONE;
  }
}
