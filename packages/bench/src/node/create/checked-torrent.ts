// Whether a torrent is right: every piece of it matches the files.
import { readFile } from 'node:fs/promises';
import { parseMetainfo } from '@bt/metainfo';
import { checkTorrent } from '@bt/metainfo/node';

/** What the torrent holds, in words that are equal for all makers. Throws when it doesn't match the files. */
export async function checkedTorrent(torrentPath: string, inputPath: string): Promise<string> {
  const metainfo = parseMetainfo(await readFile(torrentPath));
  const { problems, isWhole, goodPieceCount } = await checkTorrent({ metainfo, path: inputPath });
  if (!isWhole) throw new Error(`${torrentPath} is wrong about ${problems[0]?.diskPath}`);
  const { files, pieceLength } = metainfo.info;
  let filled = 0; // some makers leave empty files out
  for (const { length } of files) if (length > 0) filled += 1;
  return `${goodPieceCount} pieces of ${pieceLength} bytes in ${filled} files of ${files.contentLength} bytes`;
}
