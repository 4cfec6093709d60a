/**
 * NAT traversal: STUN, TURN, NAT discovery, rendezvous and hole punching.
 *
 * @module
 */
export { NatPunchError, type NatPunchErrorCode, type NatPunchErrorFacts } from './errors.ts';
export {
  type ClientKind,
  type ClientMessage,
  decodeClientMessage,
  decodeServerMessage,
  type ErrorMessage,
  encodeSignalling,
  type HeldPair,
  isMemberName,
  isPoolName,
  type JoinMessage,
  type LeaveMessage,
  type LeaveReason,
  type PeerLeftMessage,
  type PeerMessage,
  type PeerPresenceMessage,
  type PeerSeenMessage,
  type PingMessage,
  type PongMessage,
  type RelayCredentials,
  type ServerMessage,
  type ServerPorts,
  SIGNALLING_PATH,
  SIGNALLING_VERSION,
  type SignalData,
  type SignallingErrorCode,
  type SignalMessage,
  type WaitingMessage,
  type WelcomeMessage,
} from './rendezvous-message.ts';
