// A set of pieces as BEP 3 sends it: one bit a piece, the first in the highest bit of the first byte, spare bits zero.
import { WireError } from './errors.ts';

/** Bytes of a bitfield of `pieceCount` pieces. */
export function bitfieldLength(pieceCount: number): number {
  return Math.ceil(pieceCount / 8);
}

/** Whether the bits behind the last piece are zero. `bits` has the length of {@link bitfieldLength}. */
export function spareBitsAreZero(bits: Uint8Array, pieceCount: number): boolean {
  const used = pieceCount % 8;
  return used === 0 || (bits[bits.length - 1]! & (0xff >>> used)) === 0;
}

/** A set of piece indices of a fixed size. Its size never grows, whatever a peer says. */
export class Bitfield {
  /** Number of pieces. */
  readonly pieceCount: number;
  /** The bits as they go over the wire; a live view, to be changed through `set` and `clear` only. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  #count = 0;

  /** An empty set. @throws {WireError} `invalid-argument` (local). */
  constructor(pieceCount: number) {
    if (!Number.isSafeInteger(pieceCount) || pieceCount < 0) {
      throw new WireError('invalid-argument', 'local', `not a piece count: ${pieceCount}`);
    }
    this.pieceCount = pieceCount;
    this.bytes = new Uint8Array(bitfieldLength(pieceCount));
  }

  /**
   * A copy of received bits.
   *
   * @throws {WireError} `wrong-length`, `spare-bits` (remote).
   */
  static fromBytes(bytes: Uint8Array, pieceCount: number): Bitfield {
    const bitfield = new Bitfield(pieceCount);
    if (bytes.length !== bitfield.bytes.length) {
      throw new WireError(
        'wrong-length',
        'remote',
        `a bitfield of ${pieceCount} pieces has ${bitfield.bytes.length} bytes, not ${bytes.length}`,
      );
    }
    if (!spareBitsAreZero(bytes, pieceCount)) {
      throw new WireError('spare-bits', 'remote', 'spare bits of the bitfield are set');
    }
    bitfield.bytes.set(bytes);
    bitfield.#count = countBits(bytes);
    return bitfield;
  }

  /** Pieces in the set. */
  get count(): number {
    return this.#count;
  }

  /** Whether every piece is in the set. */
  get isComplete(): boolean {
    return this.#count === this.pieceCount;
  }

  /** Whether the piece is in the set; false for any index that is no piece. */
  has(pieceIndex: number): boolean {
    return (
      pieceIndex >= 0 &&
      pieceIndex < this.pieceCount &&
      (this.bytes[pieceIndex >>> 3]! & (0x80 >>> (pieceIndex & 7))) !== 0
    );
  }

  /** Adds a piece and says whether it was new. @throws {WireError} `piece-out-of-range` (local). */
  set(pieceIndex: number): boolean {
    this.#check(pieceIndex);
    if (this.has(pieceIndex)) return false;
    this.bytes[pieceIndex >>> 3]! |= 0x80 >>> (pieceIndex & 7);
    this.#count++;
    return true;
  }

  /** Removes a piece and says whether it was there. @throws {WireError} `piece-out-of-range` (local). */
  clear(pieceIndex: number): boolean {
    this.#check(pieceIndex);
    if (!this.has(pieceIndex)) return false;
    this.bytes[pieceIndex >>> 3]! &= ~(0x80 >>> (pieceIndex & 7));
    this.#count--;
    return true;
  }

  /** Adds every piece. */
  setAll(): void {
    this.bytes.fill(0xff);
    const used = this.pieceCount % 8;
    if (used !== 0) this.bytes[this.bytes.length - 1] = (0xff00 >>> used) & 0xff;
    this.#count = this.pieceCount;
  }

  /** Removes every piece. */
  clearAll(): void {
    this.bytes.fill(0);
    this.#count = 0;
  }

  #check(pieceIndex: number): void {
    if (!(Number.isInteger(pieceIndex) && pieceIndex >= 0 && pieceIndex < this.pieceCount)) {
      throw new WireError(
        'piece-out-of-range',
        'local',
        `piece ${pieceIndex} of ${this.pieceCount}`,
      );
    }
  }
}

function countBits(bytes: Uint8Array): number {
  let count = 0;
  for (const byte of bytes) {
    const pairs = byte - ((byte >>> 1) & 0x55);
    const nibbles = (pairs & 0x33) + ((pairs >>> 2) & 0x33);
    count += (nibbles + (nibbles >>> 4)) & 0x0f;
  }
  return count;
}
