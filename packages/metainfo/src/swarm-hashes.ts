// The swarms of a torrent (BEP 52, "upgrade path"): a hybrid has two, and who is in one needn't be in the other.
import type { Info } from './metainfo.ts';

/**
 * The info-hashes under which peers of the torrent meet, 20 bytes each: that of v1, that of v2 cut to 20 bytes, or both.
 * The first is {@link Info.infoHash}.
 */
export function swarmHashes(info: Pick<Info, 'infoHashV1' | 'infoHashV2'>): readonly Uint8Array[] {
  const { infoHashV1, infoHashV2 } = info;
  const hashes = infoHashV1 === undefined ? [] : [infoHashV1];
  return infoHashV2 === undefined ? hashes : [...hashes, infoHashV2.subarray(0, 20)];
}
