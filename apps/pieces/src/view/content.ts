// What of a torrent's files counts for its user.
import type { FileTable } from '@bt/metainfo';

/** The files that end up on disk: padding (BEP 47) is none of them. */
export function countFiles(files: FileTable): number {
  let count = 0;
  for (let file = 0; file < files.count; file += 1) if (!files.isPad(file)) count += 1;
  return count;
}
