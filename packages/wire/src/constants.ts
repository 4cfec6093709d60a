// Numbers of the peer wire protocol: message ids and reserved bits (BEP 4 with BEP 3, 5, 6, 10 and 52), fixed sizes, and the
// limits that this package sets to what a stranger may send.

/** Message ids, the byte behind the length prefix. */
export const MESSAGE_ID = {
  // BEP 3
  choke: 0,
  unchoke: 1,
  interested: 2,
  notInterested: 3,
  have: 4,
  bitfield: 5,
  request: 6,
  piece: 7,
  cancel: 8,
  // BEP 5
  port: 9,
  // BEP 6
  suggest: 13,
  haveAll: 14,
  haveNone: 15,
  reject: 16,
  allowedFast: 17,
  // BEP 10
  extended: 20,
  // BEP 52
  hashRequest: 21,
  hashes: 22,
  hashReject: 23,
} as const;

/** `'choke'`, `'have'`, ...: the name of a known message. */
export type MessageName = keyof typeof MESSAGE_ID;

/** The id inside an extended message that means its handshake (BEP 10). */
export const EXTENDED_HANDSHAKE_ID = 0;

/** Bytes of a handshake: 1 + 19 for the protocol's name, 8 reserved, 20 info-hash, 20 peer id (BEP 3). */
export const HANDSHAKE_LENGTH = 68;

/** Bytes in front of a block: length prefix, id, piece index, block offset (BEP 3). */
export const BLOCK_HEADER_LENGTH = 13;

/** What everybody asks for, and all that most clients serve (BEP 3, "request"). */
export const BLOCK_LENGTH = 16_384;

/** Bytes of one SHA-256 in a `hashes` message (BEP 52). */
export const HASH_LENGTH = 32;

/** Length of a hash request or reject, and of a `hashes` message without its hashes: id, root, four integers (BEP 52). */
export const HASH_HEADER_LENGTH = 1 + HASH_LENGTH + 4 * 4;

/** Limits of one connection. Every number here can be lowered or raised through `WireLimits`. */
export const DEFAULT_LIMITS = {
  /** A block that arrives: we ask for 16 KiB, so a longer one was never asked for. */
  maxBlockLength: BLOCK_LENGTH,
  /** A request that arrives. Some clients ask for up to 128 KiB; libtorrent and the mainline client closed above that. */
  maxRequestLength: 131_072,
  /** An extended message. ut_metadata needs 16 KiB and a little; handshakes and peer exchange less. */
  maxExtendedLength: 1_048_576,
  /** A message with an id that nobody has told us of: skipped, never buffered. */
  maxUnknownLength: 1_048_576,
  /** All unknown messages of a connection together; beyond it the peer does not talk our protocol. */
  maxUnknownTotalBytes: 16_777_216,
  /** Pieces that a torrent may have: bounds a bitfield that comes before the metadata. Also the limit of @bt/metainfo. */
  maxPieceCount: 2_097_152,
  /** `have` messages kept until the metadata arrives; further ones are forgotten. */
  maxEarlyHaves: 8_192,
} as const;

/**
 * Bitfields and have alls after a peer's declaration. Some clients send one in place of many `have`s, when it is shorter:
 * every piece of a torrent fits into 72 of them (9 bytes a `have`, one bit in the bitfield).
 */
export const MAX_LATER_DECLARATIONS = 128;

/** Hashes that one hash request may ask for; BEP 52 says 512 and libtorrent serves up to this many. */
export const MAX_HASH_REQUEST_LENGTH = 8_192;

/** Layers of a Merkle tree over 2^63 blocks: more proof layers than this can't exist (BEP 52). */
export const MAX_PROOF_LAYERS = 63;
