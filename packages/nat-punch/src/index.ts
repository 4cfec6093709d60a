/**
 * NAT traversal: STUN, TURN, NAT discovery, rendezvous and hole punching.
 *
 * @module
 */
export { NatPunchError, type NatPunchErrorCode, type NatPunchErrorFacts } from './errors.ts';
