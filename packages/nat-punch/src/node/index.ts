/**
 * NAT traversal on Node's sockets.
 *
 * @module
 */
export {};
