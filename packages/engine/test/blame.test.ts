import { describe, expect, it } from 'vitest';
import { Blame, type Contributor } from '../src/blame.ts';
import { MAX_ATTEMPTS_PER_PIECE, MAX_SUSPECT_ATTEMPTS } from '../src/limits.ts';

const HASH_BYTES = 20;
const anybody = (): Contributor => ({ suspicions: 0 });
const hashes = (...blocks: number[]) =>
  Uint8Array.from(blocks.flatMap((block) => Array(HASH_BYTES).fill(block)));

describe('a piece that failed', () => {
  it('convicts its sole sender at once, and otherwise whoever sent another block than the right one', () => {
    const blame = new Blame<Contributor>();
    const [liar, honest] = [anybody(), anybody()];
    expect(blame.failed(0, [liar, liar], hashes(1, 2))).toBe(liar);
    expect(blame.failed(1, [liar, honest], hashes(9, 2))).toBeUndefined();
    expect([liar.suspicions, honest.suspicions]).toEqual([1, 1]);
    expect(blame.passed(1, hashes(1, 2))).toEqual(new Set([liar]));
    expect([liar.suspicions, honest.suspicions]).toEqual([0, 0]);
  });

  it('is remembered with a bounded number of attempts, and of others', () => {
    const blame = new Blame<Contributor>();
    const [one, two] = [anybody(), anybody()];
    const fail = (piece: number) => blame.failed(piece, [one, two], hashes(1, 2));
    for (let attempt = 0; attempt < 2 * MAX_ATTEMPTS_PER_PIECE; attempt += 1) fail(0);
    expect(one.suspicions).toBe(MAX_ATTEMPTS_PER_PIECE);
    for (let piece = 1; piece <= 2 * MAX_SUSPECT_ATTEMPTS; piece += 1) fail(piece);
    expect(one.suspicions).toBe(MAX_SUSPECT_ATTEMPTS);
    for (let piece = 0; piece <= 2 * MAX_SUSPECT_ATTEMPTS; piece += 1) blame.forget(piece);
    expect([one.suspicions, two.suspicions]).toEqual([0, 0]);
    fail(0);
    expect(one.suspicions).toBe(1);
  });
});
