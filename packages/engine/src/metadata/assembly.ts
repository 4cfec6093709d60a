// One attempt to put an info dictionary together: of one claimed length, from one sender or several. Each piece is kept with
// its sender, and takes memory when it has come.

import { METADATA_PIECE_LENGTH, metadataPieceCount } from '@bt/wire';

interface Received<Sender> {
  readonly bytes: Uint8Array;
  readonly sender: Sender;
}

export class Assembly<Sender> {
  readonly lengthBytes: number;
  readonly pieceCount: number;
  /** Who is asked for its pieces. */
  readonly senders = new Set<Sender>();
  /** What the pieces take in memory. */
  bufferedBytes = 0;
  readonly #received = new Map<number, Received<Sender>>();

  constructor(lengthBytes: number) {
    this.lengthBytes = lengthBytes;
    this.pieceCount = metadataPieceCount(lengthBytes);
  }

  get receivedCount(): number {
    return this.#received.size;
  }

  get isComplete(): boolean {
    return this.#received.size === this.pieceCount;
  }

  has(pieceIndex: number): boolean {
    return this.#received.has(pieceIndex);
  }

  /** A piece that isn't there. The bytes must stay as they are. */
  add(pieceIndex: number, bytes: Uint8Array, sender: Sender): void {
    this.#received.set(pieceIndex, { bytes, sender });
    this.bufferedBytes += bytes.length;
  }

  /** Whose pieces these are, most pieces first. */
  contributors(): Sender[] {
    const counts = new Map<Sender, number>();
    for (const { sender } of this.#received.values()) {
      counts.set(sender, (counts.get(sender) ?? 0) + 1);
    }
    return [...counts].sort((a, b) => b[1] - a[1]).map(([sender]) => sender);
  }

  /** An assembly of what one sender has sent, to be completed by it alone. */
  partOf(sender: Sender): Assembly<Sender> {
    const part = new Assembly<Sender>(this.lengthBytes);
    for (const [pieceIndex, { bytes, sender: by }] of this.#received) {
      if (by === sender) part.add(pieceIndex, bytes, sender);
    }
    return part;
  }

  /** What it has sent goes with it. */
  remove(sender: Sender): void {
    this.senders.delete(sender);
    for (const [pieceIndex, received] of this.#received) {
      if (received.sender !== sender) continue;
      this.#received.delete(pieceIndex);
      this.bufferedBytes -= received.bytes.length;
    }
  }

  /** Forgets all pieces. */
  clear(): void {
    this.#received.clear();
    this.bufferedBytes = 0;
  }

  /** All pieces in order; only when complete. */
  join(): Uint8Array<ArrayBuffer> {
    const joined = new Uint8Array(this.lengthBytes);
    for (const [pieceIndex, { bytes }] of this.#received) {
      joined.set(bytes, pieceIndex * METADATA_PIECE_LENGTH);
    }
    return joined;
  }

  /** Whose pieces differ from the true dictionary. */
  liars(truth: Uint8Array): Set<Sender> {
    const liars = new Set<Sender>();
    for (const [pieceIndex, { bytes, sender }] of this.#received) {
      const at = pieceIndex * METADATA_PIECE_LENGTH;
      if (!bytes.every((byte, index) => byte === truth[at + index])) liars.add(sender);
    }
    return liars;
  }
}
