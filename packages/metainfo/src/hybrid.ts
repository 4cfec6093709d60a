// Hybrid torrents (BEP 52, "upgrade path"): the v1 list and the v2 tree must describe the same files at the same places,
// or v1 and v2 peers would be given different content.
import { sameBytes } from './bytes.ts';
import { MetainfoError } from './errors.ts';
import { FILE_PAD } from './file-table.ts';
import type { Geometry } from './geometry.ts';
import type { FileList } from './parse-files.ts';

/**
 * Compares all files that have bytes: name, length, order, and that each begins on a piece boundary in v1 too.
 * @param geometry Of the v1 list.
 * @returns For each file of the v1 list, where its pieces root stands; 0 for none.
 * @throws MetainfoError `hybrid-mismatch`
 */
export function checkHybrid(v1: FileList, v2: FileList, geometry: Geometry): Uint32Array {
  const roots = new Uint32Array(v1.lengths.length);
  let other = 0;
  let pieces = 0;
  for (let file = 0; file < v1.lengths.length; file++) {
    const length = v1.lengths[file]!;
    if (length === 0 || (v1.flags[file]! & FILE_PAD) !== 0) continue;
    while (v2.lengths[other] === 0) other++;
    if (
      v2.lengths[other] !== length ||
      !samePath(v1.raw.componentsOf(file), v2.raw.componentsOf(other)) ||
      geometry.fileStart(file).offset !== 0
    ) {
      throw mismatch(`info.files[${file}]`);
    }
    roots[file] = v2.rootOffsets![other]!;
    pieces += Math.ceil(length / geometry.pieceLength);
    other++;
  }
  while (v2.lengths[other] === 0) other++;
  // As many pieces as the files need: so there is no whole piece of padding between them, or behind.
  if (other !== v2.lengths.length || pieces !== geometry.pieceCount) throw mismatch('info.files');
  return roots;
}

function samePath(a: readonly Uint8Array[] | undefined, b: readonly Uint8Array[] | undefined) {
  return (
    a !== undefined &&
    a.length === b?.length &&
    a.every((component, depth) => sameBytes(component, b[depth]!))
  );
}

function mismatch(field: string): MetainfoError {
  return new MetainfoError(
    'hybrid-mismatch',
    field,
    'The v1 and v2 parts of the hybrid torrent describe different files.',
  );
}
