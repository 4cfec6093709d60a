/**
 * Writing a small file so that at any moment there is the old one or the new one, whole: to a temporary file, flushed, renamed
 * over the old one, and the folder flushed.
 */
import fs from 'node:fs/promises';
import path from 'node:path';
import { makeFolder, nodeFileSystem } from './open-files.ts';

export interface ReplaceOptions {
  /** Ends the temporary file's name. Default `tmp`: one for all lives, so that what a killed one leaves is overwritten. */
  readonly suffix?: string;
  /** Puts the temporary file in its place, or leaves it. Default: a rename. */
  readonly rename?: (temporary: string) => void;
}

/** Only the user can read it. Its folder is made if missing. @throws the errors of `node:fs`, and those of `rename` */
export async function replaceFile(
  target: string,
  bytes: Uint8Array,
  { suffix = 'tmp', rename }: ReplaceOptions = {},
): Promise<void> {
  const folder = path.dirname(target);
  const temporary = `${target}.${suffix}`;
  makeFolder(nodeFileSystem, folder, 0o700);
  try {
    const file = await fs.open(temporary, 'w', 0o600);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    if (rename === undefined) await fs.rename(temporary, target);
    else rename(temporary);
  } finally {
    await fs.rm(temporary, { force: true }).catch(() => {});
  }
  await syncFolder(folder);
}

async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await fs.open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch {
    // Windows can't open a folder; there the rename is as durable as it gets.
  }
}
