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

/** And below so many times the question: libtorrent's answers reach 9.6 times (threat D3). */
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

/** BEP 33: a filter of 256 bytes. One with more addresses in it says nothing any more, and isn't believed. */
export const BLOOM_FILTER_BYTES = 256;
export const MAX_FILTER_ADDRESSES = 6_000;

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

/** Of one public /24 (IPv6: a /48), which one owner may well have. */
export const MAX_PEERS_PER_NETWORK = 4_000;

/** Info-hashes that are looked at when a full store makes room for one more. */
export const EVICTION_PROBES = 16;

/** How often stores look through all they have for what has expired. */
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
/** Of one /24 (IPv6: a /48). */
export const MAX_ITEMS_PER_NETWORK = 400;

/**
 * Queries answered for one address (IPv6: a /64), and bytes sent in answers in all, half of which are kept for addresses that we
 * know (threat D3).
 */
export const QUERIES_PER_SECOND = 5;
export const QUERY_BURST = 20;
export const ANSWER_BYTES_PER_SECOND = 8_000;
export const ANSWER_BURST_BYTES = 32_000;

/** An unverified address is pinged back once in this time (threat D3). */
export const PING_BACK_INTERVAL_MS = 10 * 60_000;

/** An answer of more than {@link MAX_AMPLIFICATION} times its question, behind a ping: of one address so many at once, and one in this time. */
export const LARGE_ANSWER_INTERVAL_MS = 10_000;
export const LARGE_ANSWER_BURST = 10;

/** Addresses whose rate is known at one time. */
export const RATE_LIMIT_SLOTS = 16_384;

/** BEP 5: how long a node that was heard of counts as good, and how long a bucket may stay unchanged. */
export const GOOD_FOR_MS = 15 * 60_000;

/** BEP 5, "try once more before discarding": a node that failed so often in a row is bad. */
export const BAD_AFTER_FAILURES = 2;

/** A bad node without a replacement is forgotten after so many failures in a row. */
export const FORGET_AFTER_FAILURES = 6;

/** The pause before a node of the table that failed is asked again; it doubles with each further failure. */
export const RETRY_MS = 10_000;

/** When nothing has come in for so long our own line may be down: nobody is blamed for silence, and pings are as far apart. */
export const LINE_QUIET_MS = 60_000;

/** Buckets of one table, 16 nodes each with the spare ones: in the 65th there would be no more than chance. */
export const MAX_BUCKETS = 64;

/** A query that takes longer than round trips do is slow: its lookup goes around it (RFC 6298, between these bounds). */
export const FIRST_PATIENCE_MS = 1_000;
export const MIN_PATIENCE_MS = 200;
export const MAX_PATIENCE_MS = 3_000;

/** An answer is waited for so long, and counts however slow it was. */
export const QUERY_TIMEOUT_MS = 6_000;

/** Queries under way at one time; further ones wait. */
export const MAX_OUTSTANDING_QUERIES = 1_024;

/** Kademlia's alpha: the queries that one lookup has under way in one family. */
export const LOOKUP_CONCURRENCY = 3;

/** Nodes that one lookup remembers in one family, the closest it was told of. */
export const MAX_CANDIDATES = 128;

/** Points beside the target that are asked for when nodes near it are dead, and nodes asked for each (second-look.ts). */
export const SECOND_LOOK_POINTS = 3;
export const SECOND_LOOK_NODES = 2;

/** Nodes of one family that are taken from one answer. */
export const MAX_TOLD_NODES = 16;

/** Different peers that one lookup hands out. */
export const MAX_LOOKUP_PEERS = 5_000;

/** Operations under way at one time. */
export const MAX_OPERATIONS = 1_000;

/** An unverified address gets at most so many times the bytes that it sent. */
export const MAX_UNVERIFIED_FACTOR = 6;

/** Addresses that are known to be no forgeries, and how long after their answer. */
export const MAX_VERIFIED_ADDRESSES = 2_048;
export const VERIFIED_FOR_MS = 10 * 60_000;

/** Answers that wait for their asker to show that his address is real. */
export const MAX_HELD_ANSWERS = 64;

/** Nodes that wait for their first ping, and first pings under way. */
export const MAX_NEWCOMERS = 1_000;
export const MAX_NEWCOMER_PINGS = 32;

/** BEP 42: votes about our address that are remembered, and what makes it known: so many, and three quarters agree. */
export const MAX_ADDRESS_VOTES = 32;
export const MIN_ADDRESS_VOTES = 8;

/** Between two pings or refreshes of the table. */
export const MAINTENANCE_SPACING_MS = 1_000;

/** While the table is empty, joining is tried again after this time, doubling up to the other. */
export const JOIN_RETRY_MS = 5_000;
export const MAX_JOIN_RETRY_MS = 5 * 60_000;

/** Nor is a join tried again sooner than this after a node has come that may show the way. */
export const JOIN_NEWCOMER_MS = 500;

/** Nodes that a join begins with, and nodes of one saved table. */
export const MAX_JOIN_NODES = 100;
export const MAX_SAVED_NODES = 2_000;

/** Saved nodes that a join begins with, those nearest to us. */
export const SAVED_ENTRANCES = 16;

/** The largest k and alpha. */
export const MAX_LOOKUP_COUNT = 32;

/** A longer state file is no saved table: two of 2,000 nodes have 128,000 bytes. */
export const MAX_STATE_FILE_BYTES = 256 * 1024;

/** How often the state file is written. */
export const SAVE_INTERVAL_MS = 10 * 60_000;

/** While no name of the bootstrap can be resolved, it is tried again after this time, doubling up to the other. */
export const RESOLVE_RETRY_MS = 10_000;
export const MAX_RESOLVE_RETRY_MS = 10 * 60_000;

/** Nobody waits longer for the names of the bootstrap: what is begun then has to do with those it knows. */
export const RESOLVE_WAIT_MS = 30_000;

/** Ports that are tried until one is free in both families. */
export const MAX_PORT_TRIES = 10;
