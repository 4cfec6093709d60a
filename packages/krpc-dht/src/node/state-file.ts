// The saved table as a file: written to another name and renamed, so that a crash leaves the old one or the new one.
import { randomUUID } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { MAX_STATE_FILE_BYTES } from '../constants.ts';

/** The file's bytes; undefined when there is none that can be read. */
export async function readStateFile(path: string): Promise<Uint8Array | undefined> {
  try {
    const bytes = await readFile(path);
    return bytes.length <= MAX_STATE_FILE_BYTES ? new Uint8Array(bytes) : undefined;
  } catch {
    return undefined;
  }
}

/** Any number of them may write to one path at one time: one of them wins. Errors are those of node:fs. */
export async function writeStateFile(path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
  await syncFolder(dirname(path));
}

/** So that the new name outlasts a loss of power. Some systems open no folders. */
async function syncFolder(path: string): Promise<void> {
  try {
    const folder = await open(path, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  } catch {
    // The file is there.
  }
}
