// A Merkle root by node:crypto, beside the one of @bt/metainfo that is under test (BEP 52).

import { createHash } from 'node:crypto';

/** The root of `width` nodes of a layer; the missing ones are what padding amounts to there. */
export function sha256Root(nodes: readonly Uint8Array[], width: number, layer: number): Uint8Array {
  let padding: Uint8Array = new Uint8Array(32);
  for (let i = 0; i < layer; i += 1) padding = pair(padding, padding);
  let row = [...nodes];
  for (let rest = width; rest > 1; rest /= 2) {
    const next: Uint8Array[] = [];
    for (let i = 0; i < row.length; i += 2) next.push(pair(row[i]!, row[i + 1] ?? padding));
    padding = pair(padding, padding);
    row = next;
  }
  return row[0]!;
}

function pair(left: Uint8Array, right: Uint8Array): Uint8Array {
  return createHash('sha256').update(left).update(right).digest();
}
