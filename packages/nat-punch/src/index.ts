/**
 * NAT traversal: STUN, TURN, NAT discovery, rendezvous and hole punching.
 *
 * @module
 */

export {
  ChannelHandshake,
  type ChannelHandshakeOptions,
  type ChannelRefusal,
  type ChannelSignal,
  type HandshakeEffect,
  type IceCredentials,
  pairIdentities,
  type RoundSeed,
} from './channel/channel-handshake.ts';
export { type Guess, type Guesses, GuessLimit } from './channel/guess-limit.ts';
export {
  FIRST_RETRY_MS,
  HIGH_WATER_BYTES,
  LANES,
  type Lane,
  LOW_WATER_BYTES,
  MAX_RETRY_MS,
} from './channel/lane.ts';
export { describePeer, type PeerDescription, readOwnOffer } from './channel/peer-description.ts';
export {
  MAX_MESSAGE_BYTES,
  ReliableMessages,
  type ReliableMessagesOptions,
} from './channel/reliable-messages.ts';
export { ShortCodeExchange, type ShortCodeExchangeOptions } from './channel/short-code.ts';
export {
  derivePhraseKey,
  MAX_PHRASE_BYTES,
  type PhraseKey,
  phraseKeyInput,
  phraseKeyOf,
  Spake2,
  type Spake2Keys,
  type Spake2Options,
} from './channel/spake2.ts';
export {
  type ChatFrame,
  decodeChatFrame,
  decodeFileFrame,
  encodeChatFrame,
  encodeFileFrame,
  FILE_KEY_BYTES,
  type FileFrame,
  type FileRefusal,
  MAX_TEXT_BYTES,
} from './chat/chat-frame.ts';
export { numberedFileName, safeFileName } from './chat/file-name.ts';
export { type FileHash, FileReceiver, FileSender } from './chat/file-transfer.ts';
export { printableLines, printableText } from './chat/printable-text.ts';
export { TalkRate } from './chat/talk-rate.ts';
export type { ClientLink, ClientTransport, ServerPlace, SourceChange } from './client-link.ts';
export { NatPunchError, type NatPunchErrorCode, type NatPunchErrorFacts } from './errors.ts';
export {
  type Candidate,
  type CandidateKind,
  type CandidatesSignal,
  MAX_CANDIDATES,
  type NatTraits,
  type PathSignal,
  type PunchSignal,
  parsePathSignal,
} from './path/candidate.ts';
export { FILTER_KINDS, type FilterKind, NatFilter } from './path/nat-filter.ts';
export type { PathDescription, PathMethod, PathOrigin, PathSocket } from './path/path.ts';
export {
  isProbeByte,
  PAIR_KEY_BYTES,
  ProbeCodec,
  type ProbeMessage,
  type Via,
} from './path/probe.ts';
export { Puncher } from './path/puncher.ts';
export type { LocalSide, PuncherEffect, PuncherOptions } from './path/puncher-options.ts';
export {
  clientTagOf,
  type MintOptions,
  mintPoolCredentials,
  type PoolUsername,
  parsePoolUsername,
  poolPassword,
} from './rendezvous/pool-credentials.ts';
export {
  type Origin,
  Rendezvous,
  type RendezvousEffect,
  type RendezvousOptions,
  type RendezvousStatistics,
} from './rendezvous/rendezvous.ts';
export {
  DEAD_MS,
  HEARTBEAT_MS,
  RECONNECT_MS,
  RendezvousClient,
  type RendezvousClientEffect,
  type RendezvousClientEvent,
  type RendezvousClientOptions,
} from './rendezvous/rendezvous-client.ts';
export {
  decodeClientMessage,
  decodeServerMessage,
  encodeSignalling,
  isMemberName,
  isPoolName,
} from './rendezvous/rendezvous-codec.ts';
export { MAX_NAME_BYTES } from './rendezvous/rendezvous-limits.ts';
export {
  type ClientKind,
  type ClientMessage,
  type ErrorMessage,
  type HeldPair,
  type JoinMessage,
  type LeaveMessage,
  type LeaveReason,
  type PeerLeftMessage,
  type PeerMessage,
  type PeerPresenceMessage,
  type PeerSeenMessage,
  type PingMessage,
  type PongMessage,
  type RejectMessage,
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
} from './rendezvous/rendezvous-message.ts';
export {
  DISCOVERY_SOCKETS,
  explainNat,
  type NatBehaviour,
  type NatClass,
  NatDiscovery,
  type NatDiscoveryEffect,
  type NatDiscoveryOptions,
} from './stun/nat-class.ts';
export { StreamFraming } from './stun/stream-framing.ts';
export {
  decodeAddress,
  decodeErrorCode,
  decodeUnknownAttributes,
  decodeXorAddress,
  STUN_ATTRIBUTE,
  STUN_FAMILY,
  type StunErrorCode,
  TRANSPORT_UDP,
} from './stun/stun-attributes.ts';
export {
  hasIntegrity,
  type IntegrityHash,
  integrityHash,
  longTermKey,
  shortTermKey,
} from './stun/stun-integrity.ts';
export {
  decodeStunMessage,
  isStunByte,
  STUN_HEADER_BYTES,
  STUN_METHOD,
  type StunClass,
  StunMessage,
  StunWriter,
} from './stun/stun-message.ts';
export {
  LongTermCredentials,
  type StunOutcome,
  StunRequest,
  type StunRequestOptions,
} from './stun/stun-request.ts';
export {
  CHANNEL_DATA_HEADER_BYTES,
  channelDataLength,
  channelOf,
  encodeChannelData,
  isChannelDataByte,
  MAX_CHANNEL,
  MIN_CHANNEL,
  writeChannelDataHeader,
} from './turn/channel-data.ts';
export { type Cidr, parseCidr } from './turn/cidr.ts';
export { type RelayAccess, RelayPolicy, type RelayPolicyOptions } from './turn/relay-policy.ts';
export type { RelaySocket, RelaySocketRequest, RelaySockets } from './turn/relay-socket.ts';
export { TurnClient, type TurnClientEffect, type TurnClientOptions } from './turn/turn-client.ts';
export {
  TurnServer,
  type TurnServerEvents,
  type TurnServerOptions,
  type TurnStatistics,
} from './turn/turn-server.ts';
