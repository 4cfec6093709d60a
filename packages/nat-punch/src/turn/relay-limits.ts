// What strangers and users may make the server do, and for how long: all caps of STUN, TURN and its TCP port.

/** RFC 8656 section 3.2: an allocation lives so long if the client doesn't say otherwise, and at least. */
export const DEFAULT_LIFETIME_MS = 600_000;
/** RFC 8656 section 7.2 recommends an hour at most. */
export const MAX_LIFETIME_MS = 3_600_000;
/** RFC 8656 section 9: fixed. */
export const PERMISSION_LIFETIME_MS = 300_000;
/** RFC 8656 section 12: fixed. */
export const CHANNEL_LIFETIME_MS = 600_000;
/** RFC 8656 section 7.2: how long the port next to an even one is held. */
export const RESERVATION_LIFETIME_MS = 30_000;

/** A nonce is good for so long; RFC 8656 section 5 recommends an hour at most. */
export const NONCE_LIFETIME_MS = 600_000;

/** Allocations of a user, unless the server is told otherwise. A member of a full room has 15 partners, and a browser allocates for each interface and URL. */
export const DEFAULT_QUOTA = 100;
/** Allocations in all: each takes a port and a descriptor. */
export const MAX_ALLOCATIONS = 8_192;
/**
 * Allocations of a client network, an IPv4 address or an IPv6 /64, whoever its users are: an eighth of all, so that nobody takes the relay by
 * joining again and again. It is for four full rooms of browsers behind one NAT.
 */
export const MAX_ALLOCATIONS_PER_NETWORK = 1_024;
/** Addresses that an allocation may exchange datagrams with at a time. */
export const MAX_PERMISSIONS = 256;
/** Channels of an allocation. */
export const MAX_CHANNELS = 256;
/** Bytes that are relayed for a user in a second, in both directions together; what is more is dropped. */
export const DEFAULT_USER_BYTES_PER_SECOND = 32 * 2 ** 20;
/** A client network has the byte rate of so many users. */
export const NETWORK_RATE_FACTOR = 4;

/** Requests of an address (of an IPv6 /64) that are answered in the long run, and at once. Birthday probing asks for 256 addresses at a time. */
export const REQUESTS_PER_SECOND = 200;
export const REQUEST_BURST = 2_000;
/** Addresses whose requests are counted at a time. */
export const RATE_LIMIT_SLOTS = 65_536;

/** An answer to somebody who may have forged his address is at most so many times as long as his request. */
export const MAX_CHALLENGE_FACTOR = 3;

/** A realm of this many bytes keeps the challenge to the shortest Allocate within {@link MAX_CHALLENGE_FACTOR}. */
export const MAX_REALM_BYTES = 32;
/** RFC 8489 section 14.3. */
export const MAX_USERNAME_BYTES = 508;

/** Connections to the TCP port, whatever they speak; and of one address or IPv6 /64. */
export const MAX_TCP_CONNECTIONS = 4_096;
export const MAX_TCP_CONNECTIONS_PER_ADDRESS = 256;
/** How long a connection may take for its first byte, for a TLS handshake, and for the rest of a message that it has begun. */
export const TCP_PATIENCE_MS = 10_000;
/** How long a connection of STUN may be silent while it has no allocation. */
export const TCP_IDLE_MS = 60_000;
/** Output that a connection doesn't take: beyond it relayed datagrams are dropped, and at four times as much it is closed. */
export const MAX_TCP_BACKLOG_BYTES = 256 * 1024;
