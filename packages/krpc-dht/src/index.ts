/**
 * A mainline DHT node in pure code.
 *
 * @module
 */
export { BloomFilter } from './bloom-filter.ts';
export { forEachValue, nodeLength } from './compact.ts';
export { decodeMessage } from './decode.ts';
export { Dht, type DhtOptions, type JoinNode } from './dht.ts';
export { type Ed25519, pureEd25519 } from './ed25519.ts';
export type {
  DhtEffect,
  DoneEffect,
  NodeInfo,
  OperationKind,
  OperationResults,
  Sample,
  SearchCost,
} from './effects.ts';
export {
  type QueryArguments,
  type ResponseFields,
  type Sender,
  writeError,
  writeQuery,
  writeResponse,
} from './encode.ts';
export {
  DhtError,
  type DhtErrorCode,
  type DhtErrorFacts,
  KRPC_ERROR,
  type KrpcErrorCode,
} from './errors.ts';
export {
  decodeTorrentPointer,
  encodeTorrentPointer,
  type ImmutableItem,
  type Item,
  immutableTarget,
  isMutable,
  itemTarget,
  type MutableItem,
  mutableTarget,
  signBuffer,
  signItem,
  validateItem,
} from './item.ts';
export { ItemStore, type ItemStoreOptions } from './item-store.ts';
export { type DecodeOutcome, Message, type MessageType, type Method } from './message.ts';
export {
  commonPrefixBits,
  compareDistance,
  equalIds,
  idForAddress,
  idKey,
  isIdOfAddress,
  randomId,
  randomIdInBucket,
  randomIdWithPrefix,
} from './node-id.ts';
export type { ItemKey } from './operations/item-operations.ts';
export type { Announcement } from './operations/peer-operations.ts';
export { PeerStore, type PeerStoreOptions, type Scrape, type StoreOutcome } from './peer-store.ts';
export {
  AddressRateLimit,
  type AddressRateLimitOptions,
  ByteRateLimit,
  pingBackLimit,
} from './rate-limit.ts';
export { RoutingTable, type RoutingTableOptions, type TableCounts } from './routing-table.ts';
export type {
  DhtStatistics,
  DropReason,
  OverlayStatistics,
  QueryCounts,
} from './statistics.ts';
export type { StoredCounts } from './stores.ts';
export { Tokens } from './token.ts';
