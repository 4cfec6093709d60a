// Every limit of the rendezvous in one place; docs/LIMITS.md lists them.

/** A signalling message, as UTF-8. */
export const MAX_SIGNALLING_BYTES = 16 * 1024;

/** A pool's name, and a member's. */
export const MAX_POOL_CHARACTERS = 64;
export const MAX_NAME_CHARACTERS = 64;

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
