/**
 * The DHT node on real sockets.
 *
 * @module
 */
export { nodeEd25519 } from './ed25519.ts';
