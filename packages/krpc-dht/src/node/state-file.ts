// The saved table as a file: written to another name and renamed, so that a crash leaves the old one or the new one.
import { open, readFile, rename, rm } from 'node:fs/promises';
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

/** Errors are those of node:fs. */
export async function writeStateFile(path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    const file = await open(temporary, 'w', 0o600);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
