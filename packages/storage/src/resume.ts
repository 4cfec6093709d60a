/**
 * The resume record: what a store knew of its files when it wrote the record, so that the next start need not hash them.
 * Codec only; when a record is believed is decided in `check-plan.ts`, where it is kept in `node/resume-file.ts`.
 *
 * A record is versioned and ends with a SHA-256 of all before it. One that is cut, flipped, of another version or of
 * another torrent is no record: decoding gives undefined and never throws. All numbers are little-endian.
 *
 *     8  "btresume"        1  version        1  length of the info-hash, then the info-hash
 *     4  piece count       8  piece length (float64)       4  file count
 *     1  length of the boot id, then the boot id in ASCII
 *     have: one bit a piece (BEP 3 order)
 *     for all files: 1 flags;  8 size (float64);  8 mtime ns;  8 ctime ns      (four columns)
 *     4  number of unfinished pieces; for each: 4 piece index, 4 block count, one bit a block
 *     32 SHA-256
 */
import { sha256 } from '@noble/hashes/sha2.js';

/** The file was there when the record was written; its size and times are meaningful. */
export const FILE_PRESENT = 1;
/** The file was open for writing when the record was written: after an unclean end, hash it whole. */
export const FILE_DIRTY = 2;
/** This store made the file or wrote to it, so it may be cut to its length. */
export const FILE_OURS = 4;
/** The file's bytes were flushed to the disk after the last write: a power failure could not take them. */
export const FILE_SYNCED = 8;

/** What is known of the files of a torrent, one element for each file. Times are nanoseconds since 1970. */
export interface FileColumnsOnDisk {
  /** `FILE_*` bits. */
  readonly flags: Uint8Array;
  readonly sizes: Float64Array;
  readonly mtimesNs: BigInt64Array;
  readonly ctimesNs: BigInt64Array;
}

export interface ResumeRecord {
  readonly infoHash: Uint8Array;
  readonly pieceCount: number;
  readonly pieceLength: number;
  /** Names the run of the operating system; empty where there is no such name. */
  readonly bootId: string;
  /** One bit a piece, the first in the highest bit. */
  readonly have: Uint8Array;
  readonly files: FileColumnsOnDisk;
  /** Blocks on disk of pieces that are not complete: piece index to one bit a block. */
  readonly partialPieces: ReadonlyMap<number, PartialBlocks>;
}

export interface PartialBlocks {
  readonly blockCount: number;
  readonly blocks: Uint8Array;
}

/** The torrent a record must be of. */
export type ResumeSubject = Pick<ResumeRecord, 'infoHash' | 'pieceCount' | 'pieceLength'> & {
  readonly fileCount: number;
  blockCount(pieceIndex: number): number;
};

const MAGIC = 'btresume';
const VERSION = 1;
const DIGEST_BYTES = 32;

/** Columns for `fileCount` files of which nothing is known. */
export function emptyColumns(fileCount: number): FileColumnsOnDisk {
  return {
    flags: new Uint8Array(fileCount),
    sizes: new Float64Array(fileCount),
    mtimesNs: new BigInt64Array(fileCount),
    ctimesNs: new BigInt64Array(fileCount),
  };
}

export function encodeResume(record: ResumeRecord): Uint8Array<ArrayBuffer> {
  const { files, partialPieces } = record;
  const fileCount = files.flags.length;
  let sizeBytes = 8 + 1 + 1 + record.infoHash.length + 4 + 8 + 4 + 1 + record.bootId.length;
  sizeBytes += record.have.length + fileCount * 25 + 4;
  for (const { blocks } of partialPieces.values()) sizeBytes += 8 + blocks.length;
  const out = new Writer(sizeBytes + DIGEST_BYTES);
  out.text(MAGIC);
  out.u8(VERSION);
  out.u8(record.infoHash.length);
  out.bytes(record.infoHash);
  out.u32(record.pieceCount);
  out.f64(record.pieceLength);
  out.u32(fileCount);
  out.u8(record.bootId.length);
  out.text(record.bootId);
  out.bytes(record.have);
  out.bytes(files.flags);
  for (let index = 0; index < fileCount; index++) out.f64(files.sizes[index]!);
  for (let index = 0; index < fileCount; index++) out.i64(files.mtimesNs[index]!);
  for (let index = 0; index < fileCount; index++) out.i64(files.ctimesNs[index]!);
  out.u32(partialPieces.size);
  for (const [pieceIndex, { blockCount, blocks }] of partialPieces) {
    out.u32(pieceIndex);
    out.u32(blockCount);
    out.bytes(blocks);
  }
  out.bytes(sha256(out.data.subarray(0, sizeBytes)));
  return out.data;
}

/** The record in `bytes`, or undefined when there is none for this torrent. Columns are copies; bits are too. */
export function decodeResume(bytes: Uint8Array, subject: ResumeSubject): ResumeRecord | undefined {
  const sizeBytes = bytes.length - DIGEST_BYTES;
  if (sizeBytes < MAGIC.length + 1) return undefined;
  const body = bytes.subarray(0, sizeBytes);
  const { pieceCount, pieceLength, fileCount } = subject;
  const input = new Reader(body);
  if (input.text(MAGIC.length) !== MAGIC || input.u8() !== VERSION) return undefined;
  if (!isEqual(sha256(body), bytes.subarray(sizeBytes))) return undefined;
  const infoHash = input.bytes(input.u8());
  if (!isEqual(infoHash, subject.infoHash)) return undefined;
  if (input.u32() !== pieceCount || input.f64() !== pieceLength || input.u32() !== fileCount) {
    return undefined;
  }
  const bootId = input.text(input.u8());
  const have = input.bytes(Math.ceil(pieceCount / 8));
  const files = emptyColumns(fileCount);
  files.flags.set(input.bytes(fileCount));
  for (let index = 0; index < fileCount; index++) files.sizes[index] = input.f64();
  for (let index = 0; index < fileCount; index++) files.mtimesNs[index] = input.i64();
  for (let index = 0; index < fileCount; index++) files.ctimesNs[index] = input.i64();
  const partialPieces = new Map<number, PartialBlocks>();
  for (let left = input.u32(); left > 0 && !input.isShort; left--) {
    const pieceIndex = input.u32();
    const blockCount = input.u32();
    if (pieceIndex >= pieceCount || blockCount !== subject.blockCount(pieceIndex)) return undefined;
    partialPieces.set(pieceIndex, { blockCount, blocks: input.bytes(Math.ceil(blockCount / 8)) });
  }
  if (input.isShort || input.leftBytes !== 0) return undefined;
  return { infoHash, pieceCount, pieceLength, bootId, have, files, partialPieces };
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

class Writer {
  readonly data: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  #at = 0;

  constructor(sizeBytes: number) {
    this.data = new Uint8Array(sizeBytes);
    this.#view = new DataView(this.data.buffer);
  }

  u8(value: number): void {
    this.#view.setUint8(this.#at, value);
    this.#at += 1;
  }

  u32(value: number): void {
    this.#view.setUint32(this.#at, value, true);
    this.#at += 4;
  }

  f64(value: number): void {
    this.#view.setFloat64(this.#at, value, true);
    this.#at += 8;
  }

  i64(value: bigint): void {
    this.#view.setBigInt64(this.#at, value, true);
    this.#at += 8;
  }

  bytes(value: Uint8Array): void {
    this.data.set(value, this.#at);
    this.#at += value.length;
  }

  /** ASCII. */
  text(value: string): void {
    for (let index = 0; index < value.length; index++) this.u8(value.charCodeAt(index) & 0x7f);
  }
}

/** Reads zeros beyond the end and remembers that it did. */
class Reader {
  readonly #data: Uint8Array;
  readonly #view: DataView;
  #at = 0;
  isShort = false;

  constructor(data: Uint8Array) {
    // Not what came in, which may be a Buffer, whose `slice` does not copy.
    this.#data = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    this.#view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  }

  get leftBytes(): number {
    return this.#data.length - this.#at;
  }

  u8(): number {
    return this.#take(1) ? this.#view.getUint8(this.#at - 1) : 0;
  }

  u32(): number {
    return this.#take(4) ? this.#view.getUint32(this.#at - 4, true) : 0;
  }

  f64(): number {
    return this.#take(8) ? this.#view.getFloat64(this.#at - 8, true) : 0;
  }

  i64(): bigint {
    return this.#take(8) ? this.#view.getBigInt64(this.#at - 8, true) : 0n;
  }

  bytes(count: number): Uint8Array {
    return this.#take(count) ? this.#data.slice(this.#at - count, this.#at) : new Uint8Array(count);
  }

  text(count: number): string {
    return String.fromCharCode(...this.bytes(count));
  }

  #take(count: number): boolean {
    if (this.isShort || count > this.leftBytes) {
      this.isShort = true;
      return false;
    }
    this.#at += count;
    return true;
  }
}
