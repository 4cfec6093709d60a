// The peers of an answer: which are kept, and how many.
import {
  type AddressFamily,
  compactLength,
  type Endpoint,
  isMartian,
  isMartianAt,
  readCompact,
} from '@bt/endpoint';

export interface PeerFilter {
  /** Peers to keep at most. */
  readonly maxPeers: number;
  /** Only a tracker on loopback is believed about peers there. */
  readonly trackerIsLoopback: boolean;
}

/**
 * Appends the acceptable peers of a compact list to `peers`. A list that is no whole number of entries gives `false` and
 * nothing is appended. What comes after enough peers is not looked at.
 */
export function appendCompactPeers(
  peers: Endpoint[],
  compact: Uint8Array,
  family: AddressFamily,
  filter: PeerFilter,
): boolean {
  const length = compactLength(family);
  if (compact.length % length !== 0) return false;
  for (let at = 0; at < compact.length && peers.length < filter.maxPeers; at += length) {
    if (isMartianAt(compact, at, family, filter.trackerIsLoopback)) continue;
    peers.push(readCompact(compact, at, family));
  }
  return true;
}

/** Whether a peer from a list of dictionaries is acceptable. */
export function acceptsPeer(peer: Endpoint, filter: PeerFilter): boolean {
  return !isMartian(peer, { tellerIsLoopback: filter.trackerIsLoopback });
}
