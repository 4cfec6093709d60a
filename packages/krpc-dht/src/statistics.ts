// What a node has done and knows, as plain numbers that a person or a dashboard can read.
import type { Method } from './message.ts';
import type { TableCounts } from './routing-table.ts';
import type { StoredCounts } from './stores.ts';

/** Why a datagram was not handled, or a query not answered. */
export type DropReason =
  /** Longer than 1,500 bytes. */
  | 'oversized'
  /** Not KRPC, or of a family that this node does not take part in. */
  | 'malformed'
  /** An answer that belongs to no query of ours. */
  | 'unmatched'
  /** A sender that nobody can answer: port 0, multicast. */
  | 'martian'
  /** Too many queries of one address, or too much to send in all. */
  | 'rateLimited'
  /** We are read-only (BEP 43). */
  | 'readOnly'
  /** A large answer whose asker never showed that his address is real. */
  | 'unverified';

export type QueryCounts = Record<Method, number>;

/** See {@link Dht.statistics}. */
export interface DhtStatistics {
  /** By family, when the node takes part in it (BEP 32). */
  readonly ipv4: OverlayStatistics | undefined;
  readonly ipv6: OverlayStatistics | undefined;
  readonly stored: StoredCounts;
  readonly queriesIn: QueryCounts & { readonly unknown: number };
  readonly queriesOut: QueryCounts;
  readonly answersIn: number;
  readonly errorsIn: number;
  readonly errorsOut: number;
  /** Queries of ours that were never answered. */
  readonly timeouts: number;
  readonly dropped: Readonly<Record<DropReason, number>>;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly lookups: { readonly running: number; readonly ended: number };
  readonly queriesUnderWay: number;
  /** Smoothed, milliseconds; 0 before the first answer. */
  readonly roundTripMs: number;
}

export interface OverlayStatistics {
  /** 40 hexadecimal digits. */
  readonly id: string;
  /** As other nodes see it (BEP 42), once enough of them agree. */
  readonly externalAddress: string | undefined;
  readonly nodes: TableCounts;
}

/** The running counts. */
export class Counters {
  readonly queriesIn = { ...NO_QUERIES, unknown: 0 };
  readonly queriesOut = { ...NO_QUERIES };
  readonly dropped: Record<DropReason, number> = {
    oversized: 0,
    malformed: 0,
    unmatched: 0,
    martian: 0,
    rateLimited: 0,
    readOnly: 0,
    unverified: 0,
  };
  answersIn = 0;
  errorsIn = 0;
  errorsOut = 0;
  timeouts = 0;
  bytesIn = 0;
  bytesOut = 0;
  lookupsEnded = 0;
}

const NO_QUERIES: QueryCounts = {
  ping: 0,
  find_node: 0,
  get_peers: 0,
  announce_peer: 0,
  get: 0,
  put: 0,
  sample_infohashes: 0,
};
