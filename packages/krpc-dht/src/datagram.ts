// Memory for datagrams that go out: they are written one behind the other into a block and leave as views on it, because
// making a typed array of its own for each costs as much as writing one (as in @bt/bencode's encoder).
import { MAX_DATAGRAM_BYTES } from './constants.ts';

const BLOCK_BYTES = 32 * 1024;

/** Where the next datagram is written. All nodes of a process share one: nothing calls back between `reserve` and `take`. */
export class DatagramMemory {
  target = new Uint8Array(BLOCK_BYTES);
  offset = 0;

  /** Makes room for {@link MAX_DATAGRAM_BYTES} behind `offset`. */
  reserve(): void {
    if (this.offset + MAX_DATAGRAM_BYTES <= BLOCK_BYTES) return;
    this.target = new Uint8Array(BLOCK_BYTES);
    this.offset = 0;
  }

  /** The datagram that was written from `offset` to `end`. It shares memory with others and is never overwritten. */
  take(end: number): Uint8Array<ArrayBuffer> {
    const datagram = this.target.subarray(this.offset, end);
    this.offset = end;
    return datagram;
  }
}

export const datagramMemory = /* @__PURE__ */ new DatagramMemory();
