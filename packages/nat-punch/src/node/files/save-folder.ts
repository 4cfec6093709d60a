// Where files of other members are saved: never over another file, and under no name but a plain one in this folder. What is not whole yet
// lies beside it as `NAME.LENGTH.part`, from which a later try of the same file goes on.
import { createHash, type Hash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { numberedFileName, safeFileName } from '../../chat/file-name.ts';
import type { FileHash } from '../../chat/file-transfer.ts';

/** So many names beside one another are tried. */
const MAX_NUMBER = 10_000;
const READ_BYTES = 256 * 1024;
/** Nobody else on this machine reads a file that has just come. */
const MODE = 0o600;

/** SHA-256 by node:crypto. */
export class NodeFileHash implements FileHash {
  readonly #hash: Hash = createHash('sha256');

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  digest(): Uint8Array {
    return new Uint8Array(this.#hash.copy().digest());
  }
}

/** A file that is being received, on disk. */
export interface PartFile {
  /** Of an earlier try. */
  readonly lengthBytes: number;
  /** That has been given those. */
  readonly hash: NodeFileHash;
  append(bytes: Uint8Array): Promise<void>;
  /** Begins anew. */
  truncate(): Promise<void>;
  /** It is whole: gives it its name, and says which. */
  save(): Promise<string>;
  /** Keeps what there is for a later try; nothing is kept of a file that has not begun. */
  close(): Promise<void>;
  remove(): Promise<void>;
}

/** The parts that are open in this process: two members may send one file at a time. */
const openParts = new Set<string>();

/** Opens what there is of a file in a folder, or begins it. Throws what the file system throws. */
export async function openPart(
  folder: string,
  offeredName: string,
  lengthBytes: number,
): Promise<PartFile> {
  const name = safeFileName(offeredName);
  for (let number = 1; ; number += 1) {
    const path = join(folder, `${numberedFileName(name, number)}.${lengthBytes}.part`);
    if (openParts.has(path)) continue;
    openParts.add(path);
    try {
      return await openPartAt(path, folder, name, lengthBytes);
    } catch (error) {
      openParts.delete(path);
      throw error;
    }
  }
}

async function openPartAt(
  path: string,
  folder: string,
  name: string,
  wantedBytes: number,
): Promise<PartFile> {
  // A link that lies there would lead elsewhere.
  const flags = constants.O_RDWR | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0);
  const file = await open(path, flags, MODE);
  let isOpen = true;
  let position = 0;
  const close = async () => {
    if (!isOpen) return;
    isOpen = false;
    openParts.delete(path);
    await file.close();
  };
  try {
    let hash = new NodeFileHash();
    position = await hashWhole(file, hash);
    if (position > wantedBytes) {
      await file.truncate(0);
      position = 0;
      hash = new NodeFileHash();
    }
    return {
      lengthBytes: position,
      hash,
      append: async (bytes) => {
        for (let at = 0; at < bytes.length; ) {
          const { bytesWritten } = await file.write(bytes, at, bytes.length - at, position);
          at += bytesWritten;
          position += bytesWritten;
        }
      },
      truncate: async () => {
        await file.truncate(0);
        position = 0;
      },
      save: async () => {
        await file.sync();
        const target = await giveName(path, folder, name);
        await close();
        return target;
      },
      close: async () => {
        await close();
        if (position === 0) await rm(path, { force: true });
      },
      remove: async () => {
        await close();
        await rm(path, { force: true });
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function hashWhole(file: FileHandle, hash: FileHash): Promise<number> {
  const buffer = new Uint8Array(READ_BYTES);
  for (let position = 0; ; ) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
    if (bytesRead === 0) return position;
    hash.update(buffer.subarray(0, bytesRead));
    position += bytesRead;
  }
}

/** Renames the part to the first name that is free: `name`, `name (2)` and so on. */
async function giveName(path: string, folder: string, name: string): Promise<string> {
  for (let number = 1; number <= MAX_NUMBER; number += 1) {
    const target = join(folder, numberedFileName(name, number));
    try {
      // Only who makes the name has it; then nothing but our own empty file is replaced.
      await (await open(target, 'wx', MODE)).close();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') continue;
      throw error;
    }
    await rename(path, target);
    return target;
  }
  throw Object.assign(new Error('all names are taken'), { code: 'EEXIST' });
}

/** A file to send: its length, and what reads it. Throws what the file system throws; `EISDIR` for a folder. */
export async function openSource(
  path: string,
): Promise<{ readonly file: FileHandle; readonly lengthBytes: number }> {
  const file = await open(path, 'r');
  try {
    const found = await file.stat();
    if (found.isDirectory()) throw Object.assign(new Error('a folder'), { code: 'EISDIR' });
    if (!found.isFile()) throw Object.assign(new Error('no file'), { code: 'EINVAL' });
    return { file, lengthBytes: found.size };
  } catch (error) {
    await file.close();
    throw error;
  }
}
