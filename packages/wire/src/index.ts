/**
 * BitTorrent peer wire protocol: zero-copy framing, messages, session state, extensions. Pure.
 *
 * @module
 */
export { type AllowedFastOptions, allowedFastSet } from './allowed-fast.ts';
export { Bitfield, bitfieldLength, spareBitsAreZero } from './bitfield.ts';
export {
  BLOCK_HEADER_LENGTH,
  BLOCK_LENGTH,
  DEFAULT_LIMITS,
  EXTENDED_HANDSHAKE_ID,
  HANDSHAKE_LENGTH,
  HASH_LENGTH,
  MAX_HASH_REQUEST_LENGTH,
  MAX_PROOF_LAYERS,
  MESSAGE_ID,
  type MessageName,
} from './constants.ts';
export { WireDecoder, type WireDecoderOptions } from './decode.ts';
export { EarlyRoom } from './early-pieces.ts';
export {
  MESSAGE_LENGTH,
  writeAllowedFast,
  writeBitfield,
  writeBlockHeader,
  writeCancel,
  writeChoke,
  writeExtended,
  writeHashes,
  writeHashReject,
  writeHashRequest,
  writeHave,
  writeHaveAll,
  writeHaveNone,
  writeInterested,
  writeKeepAlive,
  writeNotInterested,
  writePort,
  writeReject,
  writeRequest,
  writeSuggest,
  writeUnchoke,
} from './encode.ts';
export { WireError, type WireErrorCode, type WireFault } from './errors.ts';
export {
  decodeExtendedHandshake,
  decodeUploadOnly,
  EXTENSION_NAME,
  type ExtendedHandshake,
  encodeExtendedHandshake,
  MAX_METADATA_LENGTH,
  RemoteExtensions,
} from './extension.ts';
export {
  encodeHandshake,
  type Handshake,
  type HandshakeInput,
  HandshakeReader,
  RESERVED_BITS,
  type ReservedBit,
  readFeatures,
  reservedBitNames,
  type WireFeatures,
  writeHandshake,
} from './handshake.ts';
export {
  answerHashCount,
  type HashRequest,
  HashRequestBook,
  isHashRequestSound,
  isSameHashRequest,
} from './hash-request.ts';
export { messageName, type WireHandler, type WireLimits, type WirePieces } from './message.ts';
export {
  decodeMetadataMessage,
  encodeMetadataMessage,
  METADATA_PIECE_LENGTH,
  type MetadataMessage,
  metadataPieceCount,
  metadataPieceLength,
} from './metadata.ts';
export {
  decodePex,
  encodePex,
  MAX_PEX_PEERS,
  PEX_FLAG,
  PEX_INTERVAL_MS,
  type PexMessage,
  type PexPeer,
} from './pex.ts';
export { WireSession, type WireSessionOptions } from './session.ts';
export {
  type Agreement,
  type MessageRule,
  SESSION_TABLE,
  Speaker,
  type SpeakerPhase,
} from './session-state.ts';
