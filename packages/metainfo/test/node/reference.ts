// The slow and obvious way to every hash of a torrent, to compare the real one with.
import { createHash } from 'node:crypto';

export interface Content {
  readonly bytes: Uint8Array;
  /** Zero bytes of padding after it, v1 hashes only. */
  readonly padding?: number;
}

/** SHA-1 of every `pieceLength` bytes of everything in a row. */
export function referencePieces(files: readonly Content[], pieceLength: number): string {
  const stream = Buffer.concat(files.flatMap((f) => [f.bytes, Buffer.alloc(f.padding ?? 0)]));
  let pieces = '';
  for (let at = 0; at < stream.length; at += pieceLength) {
    pieces += createHash('sha1')
      .update(stream.subarray(at, at + pieceLength))
      .digest('hex');
  }
  return pieces;
}

/** BEP 52: the root of the whole tree of a file, and its piece layer, from a tree that is there in full. */
export function referenceTree(
  bytes: Uint8Array,
  pieceLength: number,
): { root: string; layer: string } {
  const leaves: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += 16384)
    leaves.push(sha256(bytes.subarray(at, at + 16384)));
  while (Math.log2(leaves.length) % 1 !== 0) leaves.push(Buffer.alloc(32));
  let level = leaves;
  let span = 16384;
  let layer: Buffer[] | undefined;
  for (;;) {
    if (span === pieceLength) layer = level;
    if (level.length === 1) break;
    const next: Buffer[] = [];
    for (let i = 0; i < level.length; i += 2) {
      next.push(sha256(Buffer.concat([level[i] as Buffer, level[i + 1] as Buffer])));
    }
    level = next;
    span *= 2;
  }
  const root = (level[0] as Buffer).toString('hex');
  // The layer covers the pieces that hold bytes; a file of one piece is its own layer.
  const used = layer?.slice(0, Math.ceil(bytes.length / pieceLength)) ?? [];
  return {
    root,
    layer: used.length === 0 ? root : Buffer.concat(used).toString('hex'),
  };
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}
