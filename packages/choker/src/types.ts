// What the choker is told about peers, and what it answers.

/** One connected peer at the moment of a round. Times are milliseconds of the owner's clock, rates bytes per second. */
export interface ChokerPeer {
  /** Any number of the owner's that names the peer for as long as it is connected. */
  readonly id: number;
  /** It wants something of ours. */
  readonly interested: boolean;
  /** We do not choke it. */
  readonly isUnchoked: boolean;
  /** When we last unchoked it, also if it is choked again; undefined: never. */
  readonly unchokedAt?: number | undefined;
  readonly connectedAt: number;
  /** What it sent us lately (20 s). */
  readonly downloadRate: number;
  /** What we sent it lately (20 s). */
  readonly uploadRate: number;
  /** When it last sent us a block; undefined: never. */
  readonly lastBlockAt?: number | undefined;
  /** We have asked it for blocks that have not come. */
  readonly requestsOutstanding: boolean;
  /** We want something of it. Absent: taken from `requestsOutstanding`. */
  readonly interesting?: boolean | undefined;
  /** It has asked us for blocks that we have not sent. Absent: true. */
  readonly hasPendingRequests?: boolean | undefined;
}

/** What we upload in all, in bytes per second; used for `slots: 'auto'`. */
export interface ChokerTotals {
  readonly uploadRate: number;
  /** The limit the user has set, if any. */
  readonly uploadLimit?: number | undefined;
}

export type ChokerMode = 'leeching' | 'seeding';

export interface ChokerOptions {
  /** A number in [0, 1) from a seeded source. */
  readonly random: () => number;
  /** Peers unchoked at a time, the optimistic one included. Default 'auto': follows the upload rate. */
  readonly slots?: number | 'auto';
  /** False: everybody interested is unchoked, up to `maxUnchoked`. Default true. */
  readonly choking?: boolean;
  /** One slot goes round among all interested peers. Default true. */
  readonly optimisticUnchoking?: boolean;
  /** A peer that sends nothing for 60 s gets only optimistic slots while leeching. Default true. */
  readonly antiSnubbing?: boolean;
  /** The most peers unchoked without choking. Default 100. */
  readonly maxUnchoked?: number;
}

/** What to do now. Each id is at most in one of `unchoke` and `choke`. */
export interface ChokerDecision {
  /** Choked peers to unchoke. */
  readonly unchoke: readonly number[];
  /** Unchoked peers to choke. */
  readonly choke: readonly number[];
  /** The peer whose optimistic turn began last; undefined when there is none. */
  readonly optimistic: number | undefined;
  /** Peers that were asked and have sent nothing for 60 s. */
  readonly snubbed: readonly number[];
}
