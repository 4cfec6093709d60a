/**
 * NAT traversal on Node's sockets.
 *
 * @module
 */
export { type Certificate, makeCertificate } from './certificate.ts';
export { LANES, type Lane, type PeerChannelOptions } from './peer-channel.ts';
export { PlainPeer, type PlainPeerOptions } from './plain-peer.ts';
export { SecureChannel, type SecureChannelOptions } from './secure-channel.ts';
