// Writes a file that is either whole or not there: a temporary file beside it, then one step to its name.
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { access, link, open, rename, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { EXIT, ExitError } from './exit.ts';

/** Says no before hours of hashing rather than after. @throws ExitError */
export async function checkTarget(path: string, isForced: boolean): Promise<void> {
  const stats = await stat(path).catch(() => undefined);
  if (stats !== undefined && !isForced) throw existsError(path);
  if (stats !== undefined && !stats.isFile()) {
    throw new ExitError(EXIT.disk, `${path} is not a file: choose another name with -p.`);
  }
  try {
    await access(`${dirname(path)}/.`, constants.W_OK); // the dot refuses a file in the folder's place
  } catch (error) {
    throw diskError(path, error);
  }
}

/** @throws ExitError; nothing is left behind then. */
export async function writeWhole(
  path: string,
  bytes: Uint8Array,
  isForced: boolean,
): Promise<void> {
  const temporary = `${path}.${randomBytes(4).toString('hex')}.tmp`;
  try {
    const file = await open(temporary, 'wx');
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    if (isForced) await rename(temporary, path);
    else await renameToNew(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => {}); // gone already, or the disk has failed: the first error is the one to tell
    throw error instanceof ExitError ? error : diskError(path, error);
  }
}

/** A link, unlike a rename, fails when the name was taken meanwhile. Some file systems have none. */
async function renameToNew(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
    await unlink(from);
  } catch (error) {
    if (codeOf(error) === 'EEXIST' || (await stat(to).catch(() => undefined)) !== undefined) {
      throw existsError(to);
    }
    await rename(from, to);
  }
}

function existsError(path: string): ExitError {
  return new ExitError(
    EXIT.disk,
    `${path} exists: use --force to replace it, or -p for another name.`,
  );
}

function diskError(path: string, error: unknown): ExitError {
  const reasons: Record<string, string> = {
    EACCES: 'permission denied',
    ENOENT: 'its folder does not exist',
    ENOSPC: 'no space is left on the disk',
    EROFS: 'the disk can only be read',
    ENOTDIR: 'its folder is a file',
    ENAMETOOLONG: 'the name is too long',
  };
  const code = codeOf(error);
  const reason = reasons[code] ?? (error instanceof Error ? error.message : String(error));
  const label = code === '' ? '' : ` (${code})`;
  const message = `${path} can't be written: ${reason}${reasons[code] === undefined ? '' : label}.`;
  return new ExitError(EXIT.disk, message, error);
}

function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : '';
}
