// A begun piece: which of its blocks have come, which were asked for, and of how many peers.
import { NONE } from './requests.ts';

/** In `askers`: the block has come. */
export const RECEIVED = 0xffff;

export class OpenPiece {
  /** Where it stands in the table of slots; records of requests name it. */
  readonly slot: number;
  pieceIndex = NONE;
  blockCount = 0;
  /** Padding included. */
  receivedCount = 0;
  paddingCount = 0;
  /** Blocks that have not come and are asked of nobody. */
  freeCount = 0;
  /** No block before this one is free. */
  firstFree = 0;
  /** Only one peer at a time may be asked for its blocks: it failed before, or its supplier is on parole. */
  exclusive = false;
  /** That peer, or none yet. */
  owner = NONE;
  /** The peer it was begun with, or none. */
  beginner = NONE;
  /** Its place in the list of begun, not yet full pieces, and in that of pieces with a free block. */
  openPosition = NONE;
  partialPosition = NONE;
  /** Per block, of how many peers it was asked, or RECEIVED. */
  askers = new Uint16Array(0);
  /** Per block, the newest of its requests. */
  heads = new Int32Array(0);

  constructor(slot: number) {
    this.slot = slot;
  }

  get isFull(): boolean {
    return this.receivedCount === this.blockCount;
  }

  /** Nothing of it has come, nor is asked for. */
  get isUntouched(): boolean {
    return !this.isFull && this.freeCount === this.blockCount - this.paddingCount;
  }

  /** Blocks asked for that have not come. */
  get requestedCount(): number {
    return this.blockCount - this.receivedCount - this.freeCount;
  }

  /** Begins anew for a piece of which nothing has come. */
  reset(pieceIndex: number, blockCount: number): void {
    this.pieceIndex = pieceIndex;
    this.blockCount = blockCount;
    this.receivedCount = 0;
    this.paddingCount = 0;
    this.freeCount = blockCount;
    this.firstFree = 0;
    this.exclusive = false;
    this.owner = NONE;
    this.beginner = NONE;
    if (this.askers.length < blockCount) {
      this.askers = new Uint16Array(blockCount);
      this.heads = new Int32Array(blockCount);
    }
    const { askers, heads } = this;
    for (let b = 0; b < blockCount; b += 1) {
      askers[b] = 0;
      heads[b] = NONE;
    }
  }

  /** The block is padding: there from the start. To be called after `reset`, before anything else. */
  markPadding(block: number): void {
    this.askers[block] = RECEIVED;
    this.receivedCount += 1;
    this.paddingCount += 1;
    this.freeCount -= 1;
  }
}
