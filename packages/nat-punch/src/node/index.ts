/**
 * NAT traversal on Node's sockets.
 *
 * @module
 */
export {
  RelayServer,
  type RelayServerOptions,
  type RelayStatistics,
} from './relay-server.ts';
