// What a session has to send: bytes appended message by message and taken away in one piece for one write. Taken bytes are
// never written again, so that they may wait in a socket; the space behind them is used on.

/** Small enough for thousands of idle connections, and room for 240 requests. */
const SLAB_LENGTH = 4_096;

export class OutputBuffer {
  #slab: Uint8Array<ArrayBuffer> = EMPTY;
  #start = 0;
  #end = 0;

  /** Bytes that wait. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** Where to write next, after {@link reserve}. */
  get slab(): Uint8Array<ArrayBuffer> {
    return this.#slab;
  }

  /** Makes room for `lengthBytes` and returns the offset in {@link slab} to write them at. Nothing is appended yet. */
  reserve(lengthBytes: number): number {
    if (this.#end + lengthBytes > this.#slab.length) {
      const waiting = this.length;
      // Doubling, for a caller that appends much before it takes.
      const grown = new Uint8Array(Math.max(SLAB_LENGTH, 2 * waiting, waiting + lengthBytes));
      grown.set(this.#slab.subarray(this.#start, this.#end));
      this.#slab = grown;
      this.#start = 0;
      this.#end = waiting;
    }
    return this.#end;
  }

  /** Appends what was written up to `end`, an offset in {@link slab}. */
  append(end: number): void {
    this.#end = end;
  }

  /** Everything that waits, as one view that stays as it is; `undefined` when there is nothing. */
  take(): Uint8Array<ArrayBuffer> | undefined {
    if (this.#start === this.#end) return undefined;
    const bytes = this.#slab.subarray(this.#start, this.#end);
    this.#start = this.#end;
    return bytes;
  }

  clear(): void {
    this.#slab = EMPTY;
    this.#start = 0;
    this.#end = 0;
  }
}

const EMPTY = /* @__PURE__ */ new Uint8Array(0);
