// The files of a torrent that people know of.
import type { FileEntry, Metainfo } from '@bt/metainfo';

/** All but padding (BEP 47). */
export function contentFiles({ info }: Metainfo): FileEntry[] {
  return Array.from(info.files).filter((file) => !file.isPad);
}
