// A key of BEP 44 as a file: the 32-byte seed of an Ed25519 key in hexadecimal, for its owner alone to read.
import { open, readFile } from 'node:fs/promises';
import { SEED_BYTES } from '../constants.ts';
import { DhtError } from '../errors.ts';
import { secureRandom } from './random.ts';

export interface KeyFile {
  /** 32 bytes. */
  readonly seed: Uint8Array;
  /** There was none before. */
  readonly isNew: boolean;
}

/**
 * Reads the key of a file; where there is no such file, a new key is made and written to it.
 *
 * @throws {DhtError} `invalid-argument` for a file that has no key in it. Other errors are those of node:fs.
 */
export async function openKeyFile(path: string): Promise<KeyFile> {
  try {
    return { seed: parseSeed(await readFile(path, 'utf8'), path), isNew: false };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const seed = Uint8Array.from({ length: SEED_BYTES }, () => Math.floor(256 * secureRandom()));
  // Not in place of one that somebody has made meanwhile.
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(`${Buffer.from(seed).toString('hex')}\n`);
  } finally {
    await file.close();
  }
  return { seed, isNew: true };
}

function parseSeed(text: string, path: string): Uint8Array {
  const digits = text.trim();
  if (!/^[0-9a-f]{64}$/i.test(digits)) {
    throw new DhtError(
      'invalid-argument',
      `${path} is no key file: it has not 64 hexadecimal digits`,
    );
  }
  return new Uint8Array(Buffer.from(digits, 'hex'));
}
