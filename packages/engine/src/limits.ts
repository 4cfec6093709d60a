// Every cap of a torrent session, with its reason. docs/LIMITS.md lists them. Times are milliseconds.

const KiB = 1024;
const MiB = 1024 * KiB;

// Requests we make.

/** Requests in flight to one peer: what libtorrent accepts (its `reqq`), and 31 MiB, which covers loopback. */
export const MAX_REQUESTS_PER_PEER = 2_000;
/** Requests in flight to all peers of a torrent: 64 MiB of blocks under way. */
export const MAX_REQUESTS_PER_TORRENT = 4_096;
/** A peer that names no `reqq` in its extended handshake takes this many (BEP 10: the default of libtorrent). */
export const DEFAULT_PEER_REQQ = 250;
/** The pipeline of a peer that has just unchoked us; it doubles with each round trip from here. */
export const INITIAL_PIPELINE = 8;
export const MIN_PIPELINE = 2;
/** A pipeline holds what the peer sends in its round trip and this long. */
export const PIPELINE_QUEUE_MS = 1_000;
/** A request without an answer for this long is freed for other peers. */
export const REQUEST_TIMEOUT_MS = 30_000;
/** A block whose request was given up may still come for this long, without being an offence. */
export const LAPSED_REQUEST_MS = 120_000;
/** Given-up requests remembered for each peer. */
export const MAX_LAPSED_REQUESTS = 2_048;
/** Blocks nobody asked for, after which the connection is closed. */
export const MAX_UNREQUESTED_BLOCKS = 32;

// Requests we take.

/** Requests waiting for one peer: what we name as `reqq`. More are rejected, or dropped without the fast extension. */
export const MAX_QUEUED_UPLOADS = 2_000;
/** Largest request that is served: 16 KiB is the custom, 128 KiB the most that clients accept. */
export const MAX_REQUEST_BYTES = 128 * KiB;
/** Bytes handed to one peer's socket and not sent: no more blocks are read for it beyond. */
export const MAX_SEND_QUEUE_BYTES = 512 * KiB;
/** The same in blocks: 32 of the customary size fit, and smaller ones cost their objects, some hundred bytes each. */
export const MAX_BLOCKS_IN_SOCKET = 256;
/** Smaller blocks are copied out of the chunk of 256 KiB that they were read in, so that none holds much more than itself. */
export const MIN_BLOCK_VIEW_BYTES = 16 * KiB;
/** Blocks being read from disk for one peer at a time. */
export const MAX_READS_PER_PEER = 32;
/**
 * Requests dropped or rejected since the peer was unchoked last (beyond the queue, while choked, of pieces we lack), after
 * which the connection is closed. What is honestly in flight at a choke is `MAX_QUEUED_UPLOADS` at most.
 */
export const MAX_EXCESS_REQUESTS = 10_000;
/** Output that a peer doesn't take: beyond it we don't read from it, so that nothing it asks for adds to it. */
export const MAX_OUTPUT_BYTES = 1 * MiB;
/** A peer that has left so much waiting for this long is closed, and one of whose output nothing has moved meanwhile. */
export const OUTPUT_TIMEOUT_MS = 60_000;

// Connections.

/** Time from connecting to the end of the handshake. */
export const HANDSHAKE_TIMEOUT_MS = 10_000;
/** Without a byte from the peer for this long it is closed (BEP 3: two minutes is the custom for keep-alives). */
export const IDLE_TIMEOUT_MS = 180_000;
/** Silent for this long, a connection gives way to a new one with its peer id: the peer's keep-alive is half a minute late. */
export const SILENT_PEER_MS = 150_000;
/** Of two connections to one peer the other end should have closed one by then. */
export const DUPLICATE_TIMEOUT_MS = 10_000;
/** Without a byte to the peer for this long a keep-alive goes out. */
export const KEEP_ALIVE_MS = 100_000;
/** Connections under way at one time, for a session. */
export const MAX_HALF_OPEN = 50;
export const MAX_PEERS_PER_TORRENT = 500;
/** Connections of one torrent from one address, or one IPv6 /64: several clients behind one router. */
export const MAX_PEERS_PER_ADDRESS = 8;
/** The same for loopback and private addresses, where whole swarms share one machine. */
export const MAX_PEERS_PER_LOCAL_ADDRESS = 500;
/** Connections accepted from one address within a minute, before the handshake. */
export const MAX_ACCEPTS_PER_ADDRESS_PER_MINUTE = 120;
/** The same for loopback and private addresses. */
export const MAX_ACCEPTS_PER_LOCAL_ADDRESS_PER_MINUTE = 3_000;
/** Networks (IPv4 addresses, IPv6 /64s) whose accepted connections are counted at a time; the oldest is forgotten first. */
export const MAX_COUNTED_ADDRESSES = 10_000;
/** Connections of a session, accepted and dialled, all torrents together; fewer where descriptors are few. */
export const MAX_CONNECTIONS = 1_000;
/** Of the descriptors that the process may have (`ulimit -n`), so many are for files, threads and trackers ... */
export const RESERVED_DESCRIPTORS = 64;
/** ... and connections take this share of the rest. */
export const CONNECTION_DESCRIPTOR_SHARE = 0.5;
/**
 * Of the connections of a session and of a torrent, this share is kept for accepted ones and the same for dialled ones, so
 * that neither keeps the other out.
 */
export const CONNECTION_RESERVE_SHARE = 0.2;
/** Accepted connections whose handshake is awaited, for a session. */
export const MAX_PENDING_ACCEPTS = 200;
/** Connections dialled in a second, for one torrent. */
export const MAX_DIALS_PER_SECOND = 20;
/** Neither side has what the other lacks: closed after this long. */
export const USELESS_PEER_MS = 60_000;
/** One of the two wants something, and no block has passed in either direction: in which 20 peers have had their optimistic unchoke. */
export const IDLE_INTEREST_MS = 600_000;
/** What is read in one go from a socket: larger is fewer calls, and fits the second-level cache. */
export const READ_BUFFER_BYTES = 256 * KiB;

// Candidates.

/** Known addresses of a torrent that we are not connected to. */
export const MAX_CANDIDATES = 1_000;
/** Known ports of one public address (IPv6: of a /64) that strangers name: a flood must not make us knock at all doors of a victim. */
export const MAX_HEARSAY_PORTS = 3;
/** Of one address, public or not, that messages of local discovery name, or a magnet link: clients on one host. */
export const MAX_UNPROVED_PORTS = 8;
/** Wait after the first failed connection; doubles with each further failure. */
export const REDIAL_FIRST_MS = 15_000;
export const REDIAL_MAX_MS = 1_800_000;
/** Failures after which a candidate that nobody names again is forgotten. */
export const MAX_DIAL_FAILURES = 5;
/** The same for those the user named: they are tried for ever, this often at least. */
export const REDIAL_KEPT_MAX_MS = 60_000;
/** Bans remembered for a torrent; the oldest is forgotten first. */
export const MAX_BANS = 5_000;
/** Banned ports of one public address, after which the whole address is banned; of IPv6 a /64 counts as one. */
export const BANNED_PORTS_PER_ADDRESS = 3;

// Finding peers.

/** A message of peer exchange may come so much early, by the jitter of timers and networks (BEP 11: one a minute). */
export const PEX_EARLY_MS = 10_000;
/** The first message of peer exchange waits so long, to have something to tell; so do the others when there was nothing. */
export const PEX_PAUSE_MS = 5_000;
/** Peers that one peer is told of and has not been told that they left. */
export const MAX_TOLD_PEERS = 200;
/** Between two lookups of a torrent in the DHT when nothing is lacking: announced peers expire after about half an hour. */
export const DHT_INTERVAL_MS = 15 * 60_000;
/** While peers are lacking, after the first lookup; twice as long after each that follows, up to the longest. */
export const DHT_FIRST_PAUSE_MS = 30_000;
export const DHT_LONGEST_PAUSE_MS = 5 * 60_000;
/** A torrent is told to the local network so often (BEP 14, "Usage"). */
export const LSD_INTERVAL_MS = 5 * 60_000;
/** Between two messages to the local network, whatever they tell (BEP 14). */
export const LSD_PAUSE_MS = 60_000;
/** Torrents that are added within this time are told together. */
export const LSD_GATHER_MS = 500;
/** A message of local discovery, sent or taken (BEP 14: no fragments). */
export const MAX_LSD_BYTES = 1_400;
/** Info-hashes in a message that we send: 52 bytes each, besides 120 of other headers. */
export const MAX_LSD_HASHES = 24;
/** Messages of local discovery taken from one address in a minute: one for each torrent is the custom of some clients. */
export const MAX_LSD_MESSAGES_PER_MINUTE = 120;
/** Addresses whose messages are taken in a minute. */
export const MAX_LSD_TELLERS = 1_000;
/** Peers of a magnet link (`x.pe`) that are looked for ... */
export const MAX_LINK_PEERS = 50;
/** ... and of these, host names that are resolved. */
export const MAX_LINK_NAMES = 10;
/** DHT nodes of a .torrent that are asked to enter the network (BEP 5 `nodes`). */
export const MAX_TORRENT_NODES = 20;
/** Networks whose word about our own address is remembered, for each family; the oldest is forgotten first. */
export const MAX_ADDRESS_VOTES = 32;

// Web seeds.

/** Web seeds of a torrent; more are ignored. */
export const MAX_WEB_SEEDS = 100;
/** Of these, so many are asked at a time. */
export const MAX_ACTIVE_WEB_SEEDS = 8;
/** One request asks for what a seed sends in this time ... */
export const WEB_RANGE_MS = 10_000;
/** ... within these bounds, and for so much while nothing is known of its rate. */
export const MIN_WEB_RANGE_BYTES = 1 * MiB;
export const FIRST_WEB_RANGE_BYTES = 4 * MiB;
export const MAX_WEB_RANGE_BYTES = 64 * MiB;
/** Of its range, a seed holds the blocks that it sends in this time: nobody else is asked for them before the end game. */
export const WEB_CLAIM_MS = 4_000;
/** The same in bytes: for one seed, and for all together. A whole piece is always held. */
export const MAX_WEB_CLAIM_BYTES = 8 * MiB;
export const MAX_WEB_CLAIMS_BYTES = 16 * MiB;
/** Blocks that are had meanwhile are read and thrown away up to here; beyond, a new request costs less. */
export const MAX_WEB_SKIP_BYTES = 512 * KiB;
/** A server that sends whole files only: what is thrown away of a file, unless as much of it is of use. */
export const MAX_WEB_WASTE_BYTES = 16 * MiB;
/** Blocks that a seed is asked for where no gap is left: of begun pieces, and in the end game. */
export const MAX_WEB_SCATTERED_BLOCKS = 64;
/** Small files are asked for ahead of their turn: so many requests at a time (what browsers allow themselves) ... */
export const MAX_WEB_FETCHES = 6;
/** ... while less than this is on its way. */
export const WEB_AHEAD_BYTES = 256 * KiB;
/** From a request to the head of its answer: names, connections and redirects included. */
export const WEB_ANSWER_TIMEOUT_MS = 30_000;
/** Silence within an answer. */
export const WEB_SILENCE_TIMEOUT_MS = 30_000;
/** A block of a web seed has to be complete after this long: 273 bytes a second. */
export const WEB_BLOCK_TIMEOUT_MS = 60_000;
/** One request for a range; what is left of it then is asked for anew. */
export const WEB_RANGE_TIMEOUT_MS = 600_000;
/** Wait after a seed's first failure; doubles with each further one in a row. */
export const WEB_RETRY_FIRST_MS = 5_000;
export const WEB_RETRY_MAX_MS = 1_800_000;
/** The longest `Retry-After` that is believed. */
export const MAX_RETRY_AFTER_MS = 3_600_000;
/** Answers in a row that break the rules of HTTP, or bring less than a block of a range, after which a seed is given up. */
export const MAX_BAD_WEB_ANSWERS = 3;
/** Events of files that one seed lacks. */
export const MAX_NO_FILE_EVENTS = 10;
export const MAX_WEB_REDIRECTS = 5;
/** A redirect's body up to here is read, to keep the connection; with a larger one the connection is closed. */
export const MAX_WEB_REDIRECT_BODY_BYTES = 4 * KiB;
export const MAX_WEB_HEADER_BYTES = 16 * KiB;
/** 1xx answers before the real one. */
export const MAX_WEB_INFORMATIONAL_ANSWERS = 8;
/** An idle connection to a web seed is closed after this long. */
export const WEB_IDLE_MS = 15_000;

// Hashes (BEP 52).

/** Hashes asked for in one request: the most that BEP 52 advises. */
export const HASHES_PER_REQUEST = 512;
/** Hash requests to one peer at a time, as libtorrent has it. */
export const MAX_HASH_REQUESTS_PER_PEER = 2;
/** A peer that has left so many without an answer is asked no more. */
export const MAX_UNANSWERED_HASH_REQUESTS = 8;
/** Part of a piece layer that hasn't come for this long is asked of somebody else. */
export const HASH_REQUEST_TIMEOUT_MS = 10_000;
/** A peer that has refused hashes of a piece layer, or hasn't sent them, isn't asked for others this long. */
export const REFUSED_HASHES_PAUSE_MS = 5_000;
/** The same for the hashes of a failed piece's blocks, which wait in memory ... */
export const BLOCK_HASHES_TIMEOUT_MS = 3_000;
/** ... and all attempts together. */
export const BLOCK_VERDICT_MS = 8_000;
/** Failed pieces that wait for the hashes of their blocks: 16 MiB at most. */
export const MAX_PIECES_ON_TRIAL = 4;
/** Hashes of blocks kept of pieces that have failed and not passed since: 2 MiB. */
export const MAX_KNOWN_LEAVES = 65_536;
/** Hash requests of one peer that wait; more are rejected ... */
export const MAX_QUEUED_HASH_REQUESTS = 32;
/** ... and the connection is closed after so many of those. */
export const MAX_EXCESS_HASH_REQUESTS = 1_000;
/** Hashes sent to one peer. */
export const MAX_SENT_HASH_BYTES_PER_SECOND = 512 * KiB;
/** What a refusal counts for: libtorrent repeats what is refused at once, so that eight a second are enough. */
export const HASH_REJECT_COST_BYTES = 64 * KiB;
/** Read and hashed for one peer's requests for hashes of blocks. */
export const MAX_HASHED_BYTES_PER_SECOND = 8 * MiB;
/** Read and hashed for one request, but one piece in any case: 1,024 blocks, where BEP 52 advises to ask for 512. */
export const MAX_HASHED_BYTES_PER_REQUEST = 16 * MiB;
/** Larger pieces aren't hashed for others: 8,192 blocks, which is the most that libtorrent asks for. */
export const MAX_HASHED_PIECE_BYTES = 128 * MiB;
/** Leaves of the pieces that were hashed last: 64 bytes each, with the nodes above them. */
export const MAX_CACHED_LEAVES = 16_384;
/** Piece layers whose upper parts are kept: a sixteenth of a byte for each hash. */
export const MAX_LAYER_TREES = 64;
/** Hashes of a piece layer joined in one turn: 30 ms. */
export const TREE_HASHES_PER_TURN = 16_384;
/** Files of the same content that are looked through for a piece that we have. */
export const MAX_FILES_OF_A_ROOT = 16;

// Patience with peers that have what we lack and send none of it: see `uselessMs` of the statistics.

/** A peer that chokes us counts as useful for so long without a block from anybody: six turns of its optimistic slot. */
export const TURN_MS = 180_000;
/** The same for one that lets us ask. */
export const FIRST_BLOCK_MS = 5_000;

// Port mapping.

/** What a mapping is asked for; it is renewed at half of what was granted ... */
export const MAPPING_LIFETIME_SECONDS = 3_600;
/** ... which is believed within these bounds. */
export const MIN_MAPPING_LIFETIME_SECONDS = 120;
export const MAX_MAPPING_LIFETIME_SECONDS = 86_400;
/** From a wish to a mapping, the search for a gateway included. */
export const MAPPING_TIMEOUT_MS = 15_000;
/** What a clean stop gives the gateway. */
export const STOP_MAPPING_MS = 2_000;
/** Wait after a first failure; doubles with each further one. */
export const MAPPING_RETRY_FIRST_MS = 300_000;
export const MAPPING_RETRY_MAX_MS = 7_200_000;
/** NAT-PMP and PCP: a request is repeated after this long, then twice as long, and so on (RFC 6886, section 3.1). */
export const GATEWAY_REPEAT_MS = 250;
/** Requests until a gateway counts as silent: 4 s. */
export const GATEWAY_ATTEMPTS = 4;
/** Default gateways that are asked at a time: one for each network that we are part of. */
export const MAX_GATEWAYS = 3;
/** How long devices have to answer a search (UPnP: MX 1, and the way). */
export const SSDP_SEARCH_MS = 2_500;
/** An answer to a search; the caps of descriptions and answers to calls follow. */
export const MAX_SSDP_BYTES = 2 * KiB;
export const MAX_SSDP_ANSWERS = 16;
export const MAX_IGD_DESCRIPTION_BYTES = 128 * KiB;
export const MAX_IGD_ANSWER_BYTES = 16 * KiB;
/** One request to a UPnP gateway. */
export const IGD_REQUEST_MS = 4_000;
/** External ports that are tried where others have the first. */
export const MAX_EXTERNAL_PORTS = 4;

// Suspicion.

/** Pieces that failed their hash whose senders and block hashes are kept until the piece passes. */
export const MAX_SUSPECT_ATTEMPTS = 256;
/** Attempts kept for one piece. */
export const MAX_ATTEMPTS_PER_PIECE = 8;

/** A peer keeps a piece that is left to it alone for this long from where another one could have it ... */
export const OWNER_GRACE_MS = 10_000;
/** ... and so many times as long as that one needs for the whole piece, which begins anew with it ... */
export const OWNER_PATIENCE = 4;
/** ... or this long where nothing is known of its rate ... */
export const UNKNOWN_NEWCOMER_MS = 5_000;
/** ... and twice as long after each change, up to 2^8. */
export const MAX_OWNER_DOUBLINGS = 8;

// Metadata (BEP 9).

/** A longer info dictionary isn't fetched, unless the user raises it: up to the 16 MiB that the wire believes. */
export const DEFAULT_MAX_METADATA_BYTES = 8 * MiB;
/** Pieces of 16 KiB that one peer is asked for at a time. */
export const MAX_METADATA_REQUESTS = 16;
/** Peers that put one dictionary together. More are called in one by one while those are slow. */
export const MAX_METADATA_SENDERS = 8;
/** Of those who have put a wrong one together, so many are asked for a whole one each; the rest begin another one. */
export const MAX_METADATA_SOLOS = 4;
/** Four times as many after each wrong one that follows, up to here: of a crowd of liars each has its turn soon. */
export const MAX_LATER_METADATA_SOLOS = 64;
/** What is kept of all attempts together: four of 16 MiB. */
export const MAX_METADATA_BUFFER_BYTES = 64 * MiB;
/** A piece that hasn't come by then is asked of one more peer. */
export const LATE_METADATA_MS = 2_000;
/** A peer that owes pieces and hasn't sent any for this long is not asked for a while ... */
export const METADATA_STALL_MS = 10_000;
/** ... of this length; so is one that has refused everything. */
export const METADATA_REST_MS = 10_000;
/** One peer gets each piece of our info dictionary so often ... */
export const MAX_METADATA_UPLOADS_PER_PIECE = 2;
/** ... in this time; then it is refused. */
export const METADATA_UPLOAD_WINDOW_MS = 60_000;

/** What all peers together have told of their pieces before the dictionary is there: 32 bitfields of the largest torrent. */
export const MAX_EARLY_BYTES = 8 * MiB;

// The rest.

/** `have` messages gather for this long, so that a burst of pieces is one write for each peer. */
export const HAVE_DELAY_MS = 50;
/** Events waiting for one reader that doesn't read; the oldest `progress` goes first, then of `piece` and `file`, then of all. */
export const MAX_QUEUED_EVENTS = 1_000;
/** Time between two attempts to write after a disk error. */
export const DISK_RETRY_MS = 5_000;
/** What a reader of a file gets fetched ahead of everything else. */
export const STREAM_WINDOW_BYTES = 8 * MiB;
/** Readers of one torrent at a time. */
export const MAX_READERS = 64;
/** What a clean stop gives the trackers. */
export const STOP_ANNOUNCE_MS = 3_000;
/** Torrents of a session. */
export const MAX_TORRENTS = 10_000;
