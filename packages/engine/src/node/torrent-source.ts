// What a torrent begins with: the whole .torrent, or a magnet link, from which a .torrent can be made once the info dictionary
// is there (BEP 9).

import {
  type Info,
  type Magnet,
  type Metainfo,
  sameBytes,
  selectedFilesOf,
  swarmHashes,
} from '@bt/metainfo';
import { EngineError } from '../errors.ts';

export type TorrentSource =
  | { readonly metainfo: Metainfo; readonly magnet?: undefined }
  | { readonly metainfo?: undefined; readonly magnet: Magnet };

/** @throws {EngineError} `bad-argument`: the link names no torrent, but a key under which one is published (BEP 46) */
export function sourceOf(torrent: Metainfo | Magnet): TorrentSource {
  if ('info' in torrent) return { metainfo: torrent };
  if (torrent.infoHashV1 !== undefined || torrent.infoHashV2 !== undefined) {
    return { magnet: torrent };
  }
  throw new EngineError('bad-argument', 'the magnet link has no info-hash');
}

/** The info-hashes that peers may name in a handshake, 20 bytes each; the first is that of v1 where it is known. */
export function infoHashesOf({ metainfo, magnet }: TorrentSource): readonly Uint8Array[] {
  if (metainfo !== undefined) return swarmHashes(metainfo.info);
  const { infoHashV1, infoHashV2 } = magnet;
  return [infoHashV1, infoHashV2?.subarray(0, 20)].filter((hash) => hash !== undefined);
}

/** Whether it is the info dictionary that the link means. */
export function isMeantBy(magnet: Magnet, info: Info): boolean {
  const { infoHashV1, infoHashV2 } = magnet;
  return isHash(infoHashV1, info.infoHashV1) && isHash(infoHashV2, info.infoHashV2);
}

/** The .torrent that the link and its info dictionary make. Each tracker is a tier of its own: which is the best isn't told. */
export function metainfoOf(
  magnet: Magnet,
  info: Info,
  pieceLayers: ReadonlyMap<string, Uint8Array> = new Map(),
): Metainfo {
  return {
    info,
    announceTiers: magnet.trackers.map((url) => [url]),
    webSeeds: magnet.webSeeds,
    nodes: [],
    pieceLayers,
  };
}

/** The files that a link selects (BEP 53); undefined for all. @throws {EngineError} `bad-magnet`: there is none of them */
export function filesOfLink(magnet: Magnet, { files }: Info): readonly number[] | undefined {
  const selected = selectedFilesOf(magnet, files.count);
  if (selected?.every((fileIndex) => files.isPad(fileIndex)) !== true) return selected;
  const message = `the magnet link selects none of the ${files.count} files that there are`;
  throw new EngineError('bad-magnet', message);
}

/** @throws {EngineError} `bad-argument` for a file that there isn't */
export function checkFiles(files: readonly number[] | undefined, info: Info): void {
  for (const fileIndex of files ?? []) {
    if (Number.isInteger(fileIndex) && fileIndex >= 0 && fileIndex < info.files.count) continue;
    throw new EngineError('bad-argument', `there is no file ${fileIndex}`);
  }
}

/** What the link doesn't name is right whatever it is. */
function isHash(named: Uint8Array | undefined, hash: Uint8Array | undefined): boolean {
  return named === undefined || (hash !== undefined && sameBytes(named, hash));
}
