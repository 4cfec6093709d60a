// Who names peers, and what a name is worth.

/**
 * Best first: the user; trackers, which saw the peer itself; the magnet link (`x.pe`); and hearsay: peers that came to us
 * and told where they listen, messages in the local network (BEP 14), the DHT (BEP 5) and other peers (BEP 11).
 */
export const PEER_SOURCES = ['user', 'tracker', 'magnet', 'incoming', 'lsd', 'dht', 'pex'] as const;

export type PeerSource = (typeof PEER_SOURCES)[number];

/** How many addresses a source has named, and how many connections have come of them. */
export interface SourceCount {
  /** An address that several sources have named counts for each. */
  readonly known: number;
  /** By the best source of each peer at the time of its connection. */
  readonly connected: number;
}

export type SourceCounts = Readonly<Record<PeerSource, SourceCount>>;

/** @param known the sources of each known address; @param connected the source of each peer */
export function countSources(
  known: Iterable<ReadonlySet<PeerSource>>,
  connected: Iterable<PeerSource>,
): SourceCounts {
  const counts = Object.fromEntries(
    PEER_SOURCES.map((source) => [source, { known: 0, connected: 0 }]),
  ) as Record<PeerSource, { known: number; connected: number }>;
  for (const sources of known) for (const source of sources) counts[source].known += 1;
  for (const source of connected) counts[source].connected += 1;
  return counts;
}

const RANKS: ReadonlyMap<PeerSource, number> = new Map(
  PEER_SOURCES.map((source, rank) => [source, rank]),
);

/** 0 is the best. */
export function sourceRank(source: PeerSource): number {
  return RANKS.get(source) ?? PEER_SOURCES.length;
}

/** Told by strangers, whom nobody vouches for. */
export function isHearsay(source: PeerSource): boolean {
  return sourceRank(source) >= sourceRank('incoming');
}

/** BEP 27: who is dialled for a private torrent is named by its trackers, or by the user. */
export function isAllowedForPrivate(source: PeerSource): boolean {
  return source === 'user' || source === 'tracker';
}
