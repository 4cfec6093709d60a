// Whether a download may write where it has to: asked before anything is got, not when the first piece is whole.
import { constants } from 'node:fs';
import { access as accessOf, lstat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { cannotWrite } from './failures.ts';

type Access = (path: string, mode: number) => Promise<void>;

/**
 * Throws a disk `Failure` when the torrent's file or folder below `dir` can't be written to, or made.
 * @param name the torrent's
 */
export async function checkWritable(
  dir: string,
  name: string,
  access: Access = accessOf,
): Promise<void> {
  const path = await existing(resolve(dir, name));
  await access(path, constants.W_OK).catch((error) => {
    throw cannotWrite(path, error);
  });
}

/** The path, or of the folders above it the first that is there. */
async function existing(path: string): Promise<string> {
  const isThere = await lstat(path).then(
    () => true,
    () => false,
  );
  const parent = dirname(path);
  return isThere || parent === path ? path : await existing(parent);
}
