// Every limit of this package in one place; docs/LIMITS.md lists them.

/** An answer's `interval` is clamped to this: a tracker can neither make us hammer it nor be forgotten. */
export const MIN_INTERVAL_SECONDS = 60;
export const MAX_INTERVAL_SECONDS = 3600;

/** What an answer without an interval means. */
export const DEFAULT_INTERVAL_SECONDS = 1800;

/** The longest `min interval` or `retry in` that is believed. */
export const MAX_PAUSE_SECONDS = 86_400;

/** A tracker that has not answered for so long doesn't hold up the next one. */
export const PATIENCE_MS = 3_000;

/** Trackers of one torrent; more are ignored. */
export const MAX_TRACKERS = 100;

/** A tracker's URL; a UDP tracker gets its path in a datagram (BEP 41). */
export const MAX_URL_CHARACTERS = 4096;

/** Info-hashes in one scrape (BEP 15: what fits a datagram). */
export const MAX_SCRAPE_HASHES = 74;

/** A tracker's HTTP answer, as received and after inflating. */
export const MAX_BODY_BYTES = 1024 * 1024;

export const MAX_HEADER_BYTES = 16 * 1024;

export const MAX_REDIRECTS = 5;

/** An HTTP exchange from name resolution to the last byte, redirects included. */
export const HTTP_TIMEOUT_MS = 30_000;

/** A UDP exchange: time for two repetitions after 15 and 45 seconds (BEP 15). */
export const UDP_TIMEOUT_MS = 60_000;

/** BEP 15: a connection id is used for a minute. */
export const CONNECTION_ID_LIFETIME_MS = 60_000;

/** A tracker's text (failure reason, warning) is cut here. */
export const MAX_TEXT_CHARACTERS = 256;

/** A longer tracker id is ignored. */
export const MAX_TRACKER_ID_BYTES = 256;

/** Informational (1xx) answers before the real one. */
export const MAX_INFORMATIONAL_ANSWERS = 8;

/** Our server: peers in one answer, whatever is wanted. */
export const MAX_SERVED_PEERS = 200;

/** Our server: a UDP answer fits an Ethernet frame. */
export const MAX_UDP_ANSWER_BYTES = 1400;

/** Our server, by default: torrents, peers of one torrent, peers in all (some 600 bytes each, 750 with IPv6). */
export const MAX_TORRENTS = 10_000;
export const MAX_PEERS_PER_TORRENT = 5_000;
export const MAX_PEERS = 100_000;

/** Our server: peers of one public address (IPv6: a /64), so that one host can't fill it; and in one torrent. */
export const MAX_PEERS_PER_NETWORK = 1_000;
export const MAX_PEERS_PER_NETWORK_AND_TORRENT = 100;

/** Our server: HTTP connections at once, and how long a request may take to arrive. */
export const MAX_SERVER_CONNECTIONS = 1_000;
export const SERVER_REQUEST_TIMEOUT_MS = 10_000;

/** How long the answer over one family of addresses waits for that over the other. */
export const SECOND_FAMILY_GRACE_MS = 1_000;
