// Sample trees of files, the same for the same seed, and their comparison byte for byte.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

export interface SampleFile {
  /** Path relative to the tree's root, with `/`. */
  readonly path: string;
  readonly lengthBytes: number;
}

/**
 * A tree of `fileCount` files that sum to `totalBytes`: nested folders, odd sizes, some empty, one that holds a tenth of everything.
 */
export function sampleTree(fileCount: number, totalBytes: number): SampleFile[] {
  const large = Math.floor(totalBytes / 10);
  const filled = Array.from({ length: fileCount }, (_, i) => i).filter(
    (i) => i !== 0 && i % 25 !== 24,
  );
  const weightSum = filled.reduce((sum, i) => sum + 1 + (i % 7), 0);
  let left = totalBytes - large;
  const lengths = new Array<number>(fileCount).fill(0);
  lengths[0] = large;
  filled.forEach((i, n) => {
    const share =
      n === filled.length - 1
        ? left
        : Math.floor(((totalBytes - large) * (1 + (i % 7))) / weightSum);
    lengths[i] = share;
    left -= share;
  });
  return lengths.map((lengthBytes, i) => ({
    path: `part-${i % 10}/${i % 3 === 0 ? 'inner folder/' : ''}file ${String(i).padStart(5, '0')}.bin`,
    lengthBytes,
  }));
}

/** Writes the files of a sample below `root`; contents are pseudo-random, given by `seed` and each path. */
export async function writeSampleTree(
  root: string,
  files: readonly SampleFile[],
  seed: number,
): Promise<void> {
  await mkdir(root, { recursive: true });
  const folders = new Set(files.map((file) => dirname(join(root, file.path))));
  for (const folder of folders) await mkdir(folder, { recursive: true });
  for (const file of files) {
    const handle = await open(join(root, file.path), 'w');
    try {
      for (const chunk of pseudoRandomChunks(`${seed}:${file.path}`, file.lengthBytes)) {
        await handle.write(chunk);
      }
    } finally {
      await handle.close();
    }
  }
}

function* pseudoRandomChunks(key: string, lengthBytes: number): Generator<Uint8Array> {
  const state = new Uint32Array(createHash('sha256').update(key).digest().buffer.slice(0, 4));
  let x = state[0] || 1;
  const chunk = new Uint32Array(1 << 16);
  for (let left = lengthBytes; left > 0; left -= chunk.byteLength) {
    for (let i = 0; i < chunk.length; i++) {
      x ^= x << 13;
      x ^= x >>> 17;
      x ^= x << 5;
      chunk[i] = x;
    }
    yield new Uint8Array(chunk.buffer, 0, Math.min(left, chunk.byteLength));
  }
}

async function listFiles(root: string, below = ''): Promise<string[]> {
  const entries = await readdir(join(root, below), { withFileTypes: true });
  const lists = await Promise.all(
    entries.map((entry) => {
      const path = below === '' ? entry.name : `${below}/${entry.name}`;
      return entry.isDirectory() ? listFiles(root, path) : [path];
    }),
  );
  return lists.flat();
}

async function digest(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk);
  return hash.digest('hex');
}

/**
 * The first difference between the files below two folders, in one sentence, or undefined when there is none. `missingEmptyOk`
 * lets the copy lack files of no bytes (Transmission makes none).
 */
export async function treeDifference(
  original: string,
  copy: string,
  options: { readonly missingEmptyOk?: boolean } = {},
): Promise<string | undefined> {
  const [wanted, found] = await Promise.all([listFiles(original), listFiles(copy)]);
  const present = new Set(found);
  for (const path of wanted) {
    const length = (await stat(join(original, path))).size;
    if (!present.delete(path)) {
      if (length === 0 && options.missingEmptyOk === true) continue;
      return `${path} is missing`;
    }
    if ((await stat(join(copy, path))).size !== length) return `${path} has another length`;
    if ((await digest(join(original, path))) !== (await digest(join(copy, path)))) {
      return `${path} has other bytes`;
    }
  }
  const extra = [...present][0];
  return extra === undefined ? undefined : `${extra} is too much`;
}
