// Which block was asked of which peer: records in typed arrays, each in two lists at once, one of its block and one
// of its peer, so that a request is made, found and forgotten without allocation.

export const NONE = -1;

export class RequestTable {
  /** Per record: the peer asked, the slot of the open piece, the block, and the links of both lists. */
  peer = new Int32Array(INITIAL);
  slot = new Int32Array(INITIAL);
  block = new Int32Array(INITIAL);
  nextOfBlock = new Int32Array(INITIAL);
  nextOfPeer = new Int32Array(INITIAL);
  previousOfPeer = new Int32Array(INITIAL);
  /** 1 when the block had been asked of another peer already. */
  duplicate = new Uint8Array(INITIAL);
  /** Records in use. */
  size = 0;
  #free = NONE;
  #used = 0;

  /** A record for a request, in no list yet. */
  take(peer: number, slot: number, block: number): number {
    let record = this.#free;
    if (record !== NONE) this.#free = this.nextOfBlock[record]!;
    else {
      if (this.#used === this.peer.length) this.#grow();
      record = this.#used;
      this.#used += 1;
    }
    this.peer[record] = peer;
    this.slot[record] = slot;
    this.block[record] = block;
    this.size += 1;
    return record;
  }

  /** Gives a record back that is in no list any more. */
  give(record: number): void {
    this.nextOfBlock[record] = this.#free;
    this.#free = record;
    this.size -= 1;
  }

  #grow(): void {
    this.peer = doubled(this.peer);
    this.slot = doubled(this.slot);
    this.block = doubled(this.block);
    this.nextOfBlock = doubled(this.nextOfBlock);
    this.nextOfPeer = doubled(this.nextOfPeer);
    this.previousOfPeer = doubled(this.previousOfPeer);
    const flags = new Uint8Array(this.duplicate.length * 2);
    flags.set(this.duplicate);
    this.duplicate = flags;
  }
}

const INITIAL = 1024;

function doubled(array: Int32Array): Int32Array<ArrayBuffer> {
  const bigger = new Int32Array(array.length * 2);
  bigger.set(array);
  return bigger;
}
