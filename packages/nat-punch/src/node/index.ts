/**
 * NAT traversal on Node's sockets.
 *
 * @module
 */
export { type Certificate, makeCertificate } from './certificate.ts';
export {
  type IncomingEnd,
  type IncomingTransfer,
  MAX_TRANSFERS,
  type OutgoingTransfer,
} from './files/file-exchange.ts';
export { filterKindOf, Gatherer, type GathererOptions } from './gatherer.ts';
export { IceChannel, type IceChannelOptions } from './ice-channel.ts';
export { type DiscoverNatOptions, discoverNat } from './nat-discovery.ts';
export type { TraversalServer } from './pair-sockets.ts';
export { PairTransport, type PairTransportOptions } from './pair-transport.ts';
export type { PeerChannelOptions } from './peer-channel.ts';
export {
  type JoinPoolOptions,
  joinPool,
  joinPoolBy,
  type PathsOptions,
  Pool,
  type PoolPaths,
  type PoolTransport,
  type PoolTransportOptions,
} from './pool.ts';
export {
  type PeerPath,
  type PeerTransport,
  PoolPeer,
  type PoolPeerOptions,
  type PoolPeerState,
} from './pool-peer.ts';
export {
  RelayServer,
  type RelayServerOptions,
  type RelayStatistics,
} from './relay-server.ts';
export { SecureChannel, type SecureChannelOptions } from './secure-channel.ts';
export {
  PunchServer,
  type ServerLogEvent,
  type ServerOptions,
  type ServerStatistics,
  startServer,
} from './server.ts';
