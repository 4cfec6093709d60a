// Who sent the wrong bytes. A piece that fails its hash does not say which of its blocks is wrong, so the senders and the
// hashes of its blocks are kept; once the piece passes, the blocks that differ from the right ones name their senders.
// An honest peer that took part in a bad piece is never banned: it is on parole until the piece is cleared up.

import { MAX_ATTEMPTS_PER_PIECE, MAX_SUSPECT_ATTEMPTS } from './limits.ts';

const HASH_BYTES = 32;

/** Somebody who sends blocks. It outlives its connection, so that a liar can't leave before it is found out. */
export interface Contributor {
  /** Failed pieces with a share of its own that aren't cleared up yet. */
  suspicions: number;
}

/** The sender of each block of a piece, in order; undefined where a block came from an earlier life, null where it is padding. */
export type BlockSenders<C extends Contributor> = readonly (C | null | undefined)[];

interface Attempt<C extends Contributor> {
  readonly senders: BlockSenders<C>;
  readonly blockHashes: Uint8Array;
}

export class Blame<C extends Contributor> {
  #attempts = new Map<number, Attempt<C>[]>();
  #count = 0;

  /** True when an attempt at this piece has failed: ask for block hashes when it is saved. */
  isSuspect(pieceIndex: number): boolean {
    return this.#attempts.has(pieceIndex);
  }

  /**
   * The piece failed its hash. Returns the liar when only one peer sent it; otherwise undefined, and every sender is under
   * suspicion until `passed` or `forget`. Without `blockHashes` nothing can be found out later, and nobody is suspected.
   */
  failed(
    pieceIndex: number,
    senders: BlockSenders<C>,
    blockHashes: Uint8Array | undefined,
  ): C | undefined {
    const sole = soleSender(senders);
    if (sole !== undefined) return sole;
    if (blockHashes === undefined || this.#count >= MAX_SUSPECT_ATTEMPTS) return undefined;
    const attempts = this.#attempts.get(pieceIndex) ?? [];
    if (attempts.length >= MAX_ATTEMPTS_PER_PIECE) return undefined;
    attempts.push({ senders, blockHashes });
    this.#attempts.set(pieceIndex, attempts);
    this.#count += 1;
    for (const sender of new Set(senders)) if (sender) sender.suspicions += 1;
    return undefined;
  }

  /** The piece is right now. Returns those who sent a wrong block before; everybody else is cleared. */
  passed(pieceIndex: number, blockHashes: Uint8Array | undefined): Set<C> {
    const liars = new Set<C>();
    for (const attempt of this.#attempts.get(pieceIndex) ?? []) {
      if (blockHashes === undefined) continue;
      attempt.senders.forEach((sender, blockIndex) => {
        if (!sender) return;
        if (!sameHash(attempt.blockHashes, blockHashes, blockIndex)) liars.add(sender);
      });
    }
    this.forget(pieceIndex);
    return liars;
  }

  /** Nothing will be found out about this piece any more. */
  forget(pieceIndex: number): void {
    for (const attempt of this.#attempts.get(pieceIndex) ?? []) {
      this.#count -= 1;
      for (const sender of new Set(attempt.senders)) {
        if (sender) sender.suspicions -= 1;
      }
    }
    this.#attempts.delete(pieceIndex);
  }
}

/** Who sent every block, if it was one peer: if the piece is wrong, it has sent what is wrong of it. */
export function soleSender<C extends Contributor>(senders: BlockSenders<C>): C | undefined {
  const distinct = new Set(senders);
  distinct.delete(null);
  const [first] = distinct;
  return distinct.size === 1 && first ? first : undefined;
}

/** Whether a block hashes to the same in two lists of block hashes. */
export function sameHash(a: Uint8Array, b: Uint8Array, blockIndex: number): boolean {
  const end = (blockIndex + 1) * HASH_BYTES;
  for (let i = blockIndex * HASH_BYTES; i < end; i += 1) if (a[i] !== b[i]) return false;
  return true;
}
