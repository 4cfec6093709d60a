// Sizes and limits of this package in one place; docs/LIMITS.md lists the limits.

/** BEP 5: node ids and info-hashes. */
export const ID_BYTES = 20;
export const ID_BITS = 160;

/** BEP 5: nodes of a bucket, and of an answer. */
export const NODES_PER_ANSWER = 8;

/** BEP 5 "Contact encoding", BEP 32: a node is its id and its compact endpoint. */
export const NODE_BYTES = 26;
export const NODE6_BYTES = 38;

/** A larger datagram is dropped unread: none fits an Ethernet frame (threat D1). */
export const MAX_DATAGRAM_BYTES = 1500;

/** What we send stays below this, fragments get lost (threat D3). */
export const MAX_ANSWER_BYTES = 1400;

/** And below so many times the question, but for an item's value: libtorrent's answers reach 9.6 times (threat D3). */
export const MAX_AMPLIFICATION = 10;

/** Transaction ids are 2 bytes in practice; a longer one than this is dropped (threat D1). */
export const MAX_TRANSACTION_BYTES = 20;

/** Tokens of others are opaque; ours have {@link TOKEN_BYTES}. Such as are longer are not taken. */
export const MAX_TOKEN_BYTES = 64;

/** Our tokens: a MAC of 64 bits. */
export const TOKEN_BYTES = 8;

/** BEP 5: the secret changes each five minutes, and tokens up to ten minutes old are accepted. */
export const TOKEN_ROTATION_MS = 5 * 60_000;

/** What is kept of the text of an error. */
export const MAX_ERROR_TEXT_BYTES = 128;

/** BEP 33: a filter of 256 bytes. */
export const BLOOM_FILTER_BYTES = 256;

/** Announced peers are forgotten after half an hour. */
export const PEER_LIFETIME_MS = 30 * 60_000;

/** Caps of the peer store (threat D4). */
export const MAX_PEERS_PER_HASH = 500;
export const MAX_HASHES = 10_000;
export const MAX_PEERS = 1_000_000;

/** Of one public address (IPv6: a /64) under one info-hash: several clients behind one NAT, no crowd. */
export const MAX_PEERS_PER_ADDRESS_AND_HASH = 4;

/** Of one public address (IPv6: a /64) in the whole store, so that one can't fill it. */
export const MAX_PEERS_PER_ADDRESS = 1_000;

/** How often a store looks through all it has for what has expired. */
export const SWEEP_INTERVAL_MS = 60_000;

/** BEP 33: how old the filters of a scrape may be, and of how many info-hashes they are kept (512 bytes each). */
export const SCRAPE_LIFETIME_MS = 60_000;
export const MAX_CACHED_FILTERS = 100;

/** Peers of one answer, by family: about 8 times the length of the question with the nodes beside them (threat D3). */
export const MAX_VALUES = 64;
export const MAX_VALUES6 = 24;

/** BEP 51: info-hashes of one answer, and how long a sample stays the same. */
export const MAX_SAMPLES = 20;
export const SAMPLE_INTERVAL_MS = 5 * 60_000;
/** BEP 51: the longest interval that is believed, six hours. */
export const MAX_SAMPLE_INTERVAL_SECONDS = 21_600;

/** BEP 44: a bencoded value, and a salt. */
export const MAX_VALUE_BYTES = 1000;
export const MAX_SALT_BYTES = 64;
/** BEP 44: a sequence number is a positive signed integer of 64 bits. */
export const MAX_SEQUENCE = 2n ** 63n - 1n;
/** RFC 8032: what an Ed25519 key is made from, the key that is told, a signature. */
export const SEED_BYTES = 32;
export const PUBLIC_KEY_BYTES = 32;
export const SIGNATURE_BYTES = 64;

/** BEP 44: an item that nobody puts again is forgotten after two hours. */
export const ITEM_LIFETIME_MS = 2 * 60 * 60_000;

/** Caps of the item store. */
export const MAX_ITEMS = 2_000;
export const MAX_ITEMS_PER_ADDRESS = 100;

/** Queries answered for one address (IPv6: a /64), and bytes sent in answers in all (threat D3). */
export const QUERIES_PER_SECOND = 5;
export const QUERY_BURST = 20;
export const ANSWER_BYTES_PER_SECOND = 8_000;
export const ANSWER_BURST_BYTES = 32_000;

/** An unverified address is pinged back once in this time (threat D3). */
export const PING_BACK_INTERVAL_MS = 10 * 60_000;

/** Addresses whose rate is known at one time. */
export const RATE_LIMIT_SLOTS = 16_384;
