// Randomness that nobody can guess, in the form that the pure code takes it: numbers in [0, 1), 32 bits each.
import { randomFillSync } from 'node:crypto';

const block = new Uint32Array(1024);
let next = block.length;

/** One number. The bytes come from node:crypto in blocks, since a call for each would cost more than all else does. */
export function secureRandom(): number {
  if (next === block.length) {
    randomFillSync(block);
    next = 0;
  }
  const value = block[next]!;
  // Used numbers are not left in memory, where they would tell of tokens.
  block[next++] = 0;
  return value / 0x1_0000_0000;
}
