// A table between two runs (BEP 5: "the routing table should be saved"), as bytes: a name, a version, for each family our id and
// compact node info, and the SHA-1 of all that. Whatever else is read is no saved table.
import { type AddressFamily, isMartianAt } from '@bt/endpoint';
import { sha1 } from '@noble/hashes/legacy.js';
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
const HEADER = [0x42, 0x54, 0x44, 0x48, 0x54, 2];

const CHECKSUM_BYTES = 20;

/** Family, id, number of nodes. */
const OVERLAY_BYTES = 1 + ID_BYTES + 2;

export function encodeSavedTable(overlays: readonly SavedOverlay[]): Uint8Array<ArrayBuffer> {
  const kept = overlays.map((overlay) => ({
    ...overlay,
    nodes: overlay.nodes.subarray(0, MAX_SAVED_NODES * nodeLength(overlay.family)),
  }));
  const length = kept.reduce((sum, { nodes }) => sum + OVERLAY_BYTES + nodes.length, HEADER.length);
  const bytes = new Uint8Array(length + CHECKSUM_BYTES);
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
  bytes.set(sha1(bytes.subarray(0, length)), length);
  return bytes;
}

/** A copy; undefined for anything but a whole saved table of this version. Nodes that nobody can send to are left out. */
export function decodeSavedTable(bytes: Uint8Array): SavedOverlay[] | undefined {
  const end = bytes.length - CHECKSUM_BYTES;
  if (end < HEADER.length) return undefined;
  for (let i = 0; i < HEADER.length; i++) if (bytes[i] !== HEADER[i]) return undefined;
  const checksum = sha1(bytes.subarray(0, end));
  if (checksum.some((byte, i) => bytes[end + i] !== byte)) return undefined;
  const overlays: SavedOverlay[] = [];
  let at = HEADER.length;
  while (at < end) {
    const family = bytes[at];
    if (at + OVERLAY_BYTES > end || (family !== 4 && family !== 6)) return undefined;
    if (overlays.some((overlay) => overlay.family === family)) return undefined;
    const count = (bytes[at + 1 + ID_BYTES]! << 8) | bytes[at + 2 + ID_BYTES]!;
    const nodesAt = at + OVERLAY_BYTES;
    const nodesEnd = nodesAt + count * nodeLength(family);
    if (count > MAX_SAVED_NODES || nodesEnd > end) return undefined;
    const id = Uint8Array.from(bytes.subarray(at + 1, at + 1 + ID_BYTES));
    overlays.push({ family, id, nodes: withoutMartians(bytes, nodesAt, nodesEnd, family) });
    at = nodesEnd;
  }
  return overlays;
}

function withoutMartians(
  bytes: Uint8Array,
  from: number,
  end: number,
  family: AddressFamily,
): Uint8Array {
  const nodeBytes = nodeLength(family);
  const nodes = new Uint8Array(end - from);
  let length = 0;
  for (let at = from; at < end; at += nodeBytes) {
    if (isMartianAt(bytes, at + ID_BYTES, family, true)) continue;
    nodes.set(bytes.subarray(at, at + nodeBytes), length);
    length += nodeBytes;
  }
  return nodes.subarray(0, length);
}
