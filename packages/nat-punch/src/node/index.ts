/**
 * NAT traversal on Node's sockets.
 *
 * @module
 */
export { NatPunchError, type NatPunchErrorCode, type NatPunchErrorFacts } from '../errors.ts';
export { explainNat, type NatClass } from '../stun/nat-class.ts';
export { type Certificate, makeCertificate } from './channel/certificate.ts';
export { IceChannel, type IceChannelOptions } from './channel/ice-channel.ts';
export type { PeerChannelOptions } from './channel/peer-channel.ts';
export {
  type JoinPoolOptions,
  joinPool,
  joinPoolBy,
  type PathsOptions,
  Pool,
  type PoolPaths,
  type PoolTransport,
  type PoolTransportOptions,
} from './channel/pool.ts';
export {
  type PeerPath,
  type PeerTransport,
  PoolPeer,
  type PoolPeerOptions,
  type PoolPeerState,
} from './channel/pool-peer.ts';
export { SecureChannel, type SecureChannelOptions } from './channel/secure-channel.ts';
export { filterKindOf, Gatherer, type GathererOptions } from './client/gatherer.ts';
export { type DiscoverNatOptions, discoverNat } from './client/nat-discovery.ts';
export type { TraversalServer } from './client/pair-sockets.ts';
export { PairTransport, type PairTransportOptions } from './client/pair-transport.ts';
export type { ServerLocation } from './client/server-location.ts';
export {
  type IncomingEnd,
  type IncomingTransfer,
  MAX_TRANSFERS,
  type OutgoingTransfer,
} from './files/file-exchange.ts';
export {
  RelayServer,
  type RelayServerOptions,
  type RelayStatistics,
} from './server/relay-server.ts';
export {
  PunchServer,
  type ServerLogEvent,
  type ServerOptions,
  type ServerStatistics,
  startServer,
} from './server/server.ts';
