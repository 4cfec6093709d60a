// Every limit of the rendezvous in one place; docs/LIMITS.md lists them.

/** A signalling message, as UTF-8. */
export const MAX_SIGNALLING_BYTES = 16 * 1024;

/** A pool's name. */
export const MAX_POOL_CHARACTERS = 64;
/** A member's name, as UTF-8: the chat's frames carry it, too. */
export const MAX_NAME_BYTES = 64;

/** Containers one inside another in the data of a signal: whoever walks them needs no more stack than this. */
export const MAX_SIGNAL_DEPTH = 16;

/** Members of a room; also what a member may say that it is in touch with. */
export const MAX_ROOM_SIZE = 16;

/** Addresses of one member that the server has seen and tells; of more the latest are kept. */
export const MAX_SEEN_ADDRESSES = 16;

/** The longest delay of a start that is believed, in ms. */
export const MAX_START_MS = 5_000;

/** What an error says in words. */
export const MAX_ERROR_CHARACTERS = 256;

/** Pools with members at one time, and members in all. */
export const MAX_POOLS = 10_000;
export const MAX_MEMBERS = 20_000;

/** Members of one pool, those that wait included; and of them from one address (an IPv6 /64 being one). */
export const MAX_POOL_MEMBERS = 64;
export const MAX_POOL_MEMBERS_PER_NETWORK = 32;

/** Members from one address in all pools. */
export const MAX_MEMBERS_PER_NETWORK = 256;

/** Members that one has rejected; of more the latest are kept. */
export const MAX_REJECTED = 64;

/** Addresses of the relay that one member may have allocated and others may reach; of more the latest are kept. */
export const MAX_RELAYED_PER_MEMBER = 64;

/** A member whose signalling is cut keeps its place for so long: the client's slowest reconnect, twice over. */
export const AWAY_MS = 10_000;

/** Behind a restart of the server: how long a member is kept free for those that it was in touch with. */
export const REUNION_MS = 5_000;

/** And how long who was alone makes way for those that were not. */
export const MAKE_WAY_MS = 3_000;

/** Signals to one peer that have not been acknowledged; what more there is to say is dropped. */
export const MAX_UNACKNOWLEDGED_SIGNALS = 256;

/** HTTP and WebSocket connections at once, and of them from one address. */
export const MAX_SIGNALLING_CONNECTIONS = 4_096;
export const MAX_CONNECTIONS_PER_NETWORK = 256;

/** New connections of one address: so many at once, and a second. All of a room behind one NAT may come back at one time. */
export const CONNECTIONS_BURST = 300;
export const CONNECTIONS_PER_SECOND = 30;

/** Messages of one connection: so many at once, and a second. */
export const MESSAGES_BURST = 500;
export const MESSAGES_PER_SECOND = 50;

/**
 * Bytes of the messages of one connection: so many at once, and a second. The first is half of what may wait for the one that they are for,
 * which is not to be closed for what another one sends.
 */
export const MESSAGE_BYTES_BURST = 256 * 1024;
export const MESSAGE_BYTES_PER_SECOND = 32 * 1024;

/** How long a connection may take to ask for something, and a WebSocket to join. */
export const REQUEST_TIMEOUT_MS = 10_000;

/** A WebSocket is asked so often whether it is still there, and closed when nothing has come for so long. */
export const SERVER_PING_MS = 5_000;
export const SERVER_PATIENCE_MS = 15_000;

/** What waits to be sent to one connection; whoever reads no faster is closed. */
export const MAX_BACKLOG_BYTES = 512 * 1024;

/** Members whose relay a server knows: of more the one who came first is dropped. */
export const MAX_RELAY_SCOPES = 20_000;

/**
 * How long the relay serves a member whose connection to this server is closed, unless its home says before that it has left: it may be
 * connected to another server while its path goes by this one. The lifetime of an allocation (RFC 8656 section 3.2).
 */
export const SCOPE_PATIENCE_MS = 600_000;

/** How long credentials for the relay are good; new ones are sent after half of it. */
export const CREDENTIALS_LIFETIME_MS = 12 * 3_600_000;
