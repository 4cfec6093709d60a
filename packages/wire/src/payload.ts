// Gathers the payload of one message from chunks. When a chunk has all of it, that chunk's bytes are handed on in place.

export class PayloadBuffer {
  #buffer: Uint8Array = EMPTY;
  #have = 0;
  #length = 0;

  /** Begins a payload whose length was judged. */
  start(lengthBytes: number): void {
    this.#length = lengthBytes;
    this.#have = 0;
  }

  /** Bytes that are missing. */
  get missing(): number {
    return this.#length - this.#have;
  }

  /**
   * Takes the next bytes, at most {@link missing}. Returns the payload when it is complete: a view that is valid until the
   * chunk is reused or another payload begins.
   */
  take(chunk: Uint8Array, start: number, end: number): Uint8Array | undefined {
    // Not `chunk.subarray`, which would hand on a Buffer where the chunk is one.
    const bytes = new Uint8Array(chunk.buffer, chunk.byteOffset + start, end - start);
    if (bytes.length === this.#length) return bytes;
    this.#grow(this.#have + bytes.length);
    this.#buffer.set(bytes, this.#have);
    this.#have += bytes.length;
    if (this.#have < this.#length) return undefined;
    const payload = this.#buffer.subarray(0, this.#length);
    // Let go at once, so that a thousand quiet connections hold nothing.
    this.clear();
    return payload;
  }

  clear(): void {
    this.#buffer = EMPTY;
  }

  /** Doubles up to the payload's length: memory follows what has arrived, not what was announced. */
  #grow(needed: number): void {
    if (this.#buffer.length >= needed) return;
    const capacity = Math.max(needed, 2 * this.#buffer.length, 256);
    const grown = new Uint8Array(Math.min(this.#length, capacity));
    grown.set(this.#buffer.subarray(0, this.#have));
    this.#buffer = grown;
  }
}

const EMPTY = /* @__PURE__ */ new Uint8Array(0);
