// Numbers in [0, 1) from the operating system's generator: peer ids and tracker keys must not be guessed, and one source
// does for the rest as well.

import { randomFillSync } from 'node:crypto';

const POOL_WORDS = 1024;

export function createSystemRandom(): () => number {
  const words = new Uint32Array(POOL_WORDS);
  let used = POOL_WORDS;
  return () => {
    if (used === POOL_WORDS) {
      randomFillSync(words);
      used = 0;
    }
    const word = words[used]!;
    used += 1;
    return word / 0x1_0000_0000;
  };
}
