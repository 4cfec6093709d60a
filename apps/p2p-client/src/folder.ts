// The folder for files that come, made where it is missing.
import { mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { EXIT, Failure } from './exit-codes.ts';

/** Throws a `Failure`. */
export async function makeFolder(path: string): Promise<void> {
  try {
    await make(resolve(path));
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new Failure(EXIT.usage, `The folder ${path} can't be made (${code}).`, { cause });
  }
}

/** Folder by folder: Node's own `recursive` tries for ever where a folder exists and takes none, such as /proc. */
async function make(path: string): Promise<void> {
  if (await isFolder(path)) return;
  if (dirname(path) !== path) await make(dirname(path));
  try {
    await mkdir(path);
  } catch (error) {
    // Somebody else has made it meanwhile.
    if (!(await isFolder(path))) throw error;
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}
