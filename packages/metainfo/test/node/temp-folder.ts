// A temporary folder for each test, and files in it.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';

/** Removed when the test is over. */
export function makeTempFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'bt-metainfo-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Writes `files`, a map from relative path to content or length, and returns the folder. */
export function writeTree(
  folder: string,
  files: Readonly<Record<string, string | Uint8Array | number>>,
): string {
  for (const [path, content] of Object.entries(files)) {
    const target = join(folder, path);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, typeof content === 'number' ? sampleBytes(content, path) : content);
  }
  return folder;
}

/** Bytes that repeat nowhere soon, the same for the same `seed`. */
export function sampleBytes(lengthBytes: number, seed = ''): Buffer {
  const bytes = Buffer.alloc(lengthBytes);
  let state = 0x9e3779b9;
  for (const char of seed) state = Math.imul(state ^ char.charCodeAt(0), 0x01000193);
  for (let index = 0; index < lengthBytes; index++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    bytes[index] = state >>> 24;
  }
  return bytes;
}
