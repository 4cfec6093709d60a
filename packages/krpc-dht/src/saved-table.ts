// A table between two runs (BEP 5: "the routing table should be saved"), as bytes: a name, a version, and for each family our id
// and compact node info. Whatever else is read is no saved table.
import type { AddressFamily } from '@bt/endpoint';
import { nodeLength } from './compact.ts';
import { ID_BYTES, MAX_SAVED_NODES } from './constants.ts';

export interface SavedOverlay {
  readonly family: AddressFamily;
  /** 20 bytes. */
  readonly id: Uint8Array;
  /** Compact node info, those nearest to our id first. */
  readonly nodes: Uint8Array;
}

/** "BTDHT", and the version of the format. */
const HEADER = [0x42, 0x54, 0x44, 0x48, 0x54, 1];

/** Family, id, number of nodes. */
const OVERLAY_BYTES = 1 + ID_BYTES + 2;

export function encodeSavedTable(overlays: readonly SavedOverlay[]): Uint8Array<ArrayBuffer> {
  const kept = overlays.map((overlay) => ({
    ...overlay,
    nodes: overlay.nodes.subarray(0, MAX_SAVED_NODES * nodeLength(overlay.family)),
  }));
  const length = kept.reduce((sum, { nodes }) => sum + OVERLAY_BYTES + nodes.length, HEADER.length);
  const bytes = new Uint8Array(length);
  bytes.set(HEADER);
  let at = HEADER.length;
  for (const { family, id, nodes } of kept) {
    const count = nodes.length / nodeLength(family);
    bytes[at] = family;
    bytes.set(id, at + 1);
    bytes[at + 1 + ID_BYTES] = count >>> 8;
    bytes[at + 2 + ID_BYTES] = count;
    bytes.set(nodes, at + OVERLAY_BYTES);
    at += OVERLAY_BYTES + nodes.length;
  }
  return bytes;
}

/** Views on `bytes`; undefined for anything but a whole saved table of this version. */
export function decodeSavedTable(bytes: Uint8Array): SavedOverlay[] | undefined {
  if (bytes.length < HEADER.length) return undefined;
  for (let i = 0; i < HEADER.length; i++) if (bytes[i] !== HEADER[i]) return undefined;
  const overlays: SavedOverlay[] = [];
  let at = HEADER.length;
  while (at < bytes.length) {
    const family = bytes[at];
    if (at + OVERLAY_BYTES > bytes.length || (family !== 4 && family !== 6)) return undefined;
    if (overlays.some((overlay) => overlay.family === family)) return undefined;
    const count = (bytes[at + 1 + ID_BYTES]! << 8) | bytes[at + 2 + ID_BYTES]!;
    const end = at + OVERLAY_BYTES + count * nodeLength(family);
    if (count > MAX_SAVED_NODES || end > bytes.length) return undefined;
    const id = bytes.subarray(at + 1, at + 1 + ID_BYTES);
    overlays.push({ family, id, nodes: bytes.subarray(at + OVERLAY_BYTES, end) });
    at = end;
  }
  return overlays;
}
