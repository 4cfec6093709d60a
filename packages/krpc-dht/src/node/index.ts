/**
 * The DHT node on real sockets.
 *
 * @module
 */
export { type LookupHost, PUBLIC_ROUTERS } from './bootstrap.ts';
export {
  type CreateDhtOptions,
  createDht,
  type DhtNode,
  type DhtWarning,
  type OperationOptions,
} from './dht-node.ts';
export { nodeEd25519 } from './ed25519.ts';
export { type KeyFile, openKeyFile } from './key-file.ts';
