// The session description of the other end, made here of what it said in signalling: no SDP is ever sent, so none of a stranger's is ever
// parsed. Both ends offer, and each takes this for the other's answer; so nobody waits for an offer (RFC 8829, RFC 8841, RFC 8842).
import type { IceCredentials } from './channel-handshake.ts';

/** RFC 8841 section 5.1.1: the port within DTLS that all implementations use. */
const SCTP_PORT = 5000;
/** What browsers and node-datachannel take. */
const MAX_MESSAGE_BYTES = 262_144;

export interface PeerDescription {
  /** SHA-256 of the other end's certificate. */
  readonly fingerprint: Uint8Array;
  readonly ice: IceCredentials;
  /** Does the other end begin the DTLS handshake? */
  readonly isDtlsClient: boolean;
  /** It only answers checks (RFC 8445 section 2.5). */
  readonly isIceLite?: boolean;
  readonly candidates?: readonly string[];
  /** Of the one media section, as in our own offer. */
  readonly mid?: string;
}

/** The other end's description, of type `answer`, for one data channel association. */
export function describePeer(peer: PeerDescription): string {
  const mid = peer.mid ?? '0';
  return [
    'v=0',
    'o=- 1 1 IN IP4 127.0.0.1',
    's=-',
    't=0 0',
    `a=group:BUNDLE ${mid}`,
    ...(peer.isIceLite === true ? ['a=ice-lite'] : []),
    'm=application 9 UDP/DTLS/SCTP webrtc-datachannel',
    'c=IN IP4 0.0.0.0',
    `a=mid:${mid}`,
    'a=sendrecv',
    `a=sctp-port:${SCTP_PORT}`,
    `a=max-message-size:${MAX_MESSAGE_BYTES}`,
    `a=setup:${peer.isDtlsClient ? 'active' : 'passive'}`,
    `a=ice-ufrag:${peer.ice.ufrag}`,
    `a=ice-pwd:${peer.ice.password}`,
    `a=fingerprint:sha-256 ${printFingerprint(peer.fingerprint)}`,
    ...(peer.candidates ?? []).map((candidate) => `a=${candidate}`),
    '',
  ].join('\r\n');
}

/** What an offer of our own says of us; undefined if it isn't all there. */
export function readOwnOffer(
  sdp: string,
):
  | { readonly fingerprint: Uint8Array; readonly ice: IceCredentials; readonly mid: string }
  | undefined {
  const line = (name: string) => new RegExp(`^a=${name}:(.+?)\\s*$`, 'm').exec(sdp)?.[1];
  const [ufrag, password, mid] = [line('ice-ufrag'), line('ice-pwd'), line('mid')];
  const hex = /^sha-256 ([\dA-F:]{95})$/i.exec(line('fingerprint') ?? '')?.[1];
  if (ufrag === undefined || password === undefined || hex === undefined) return undefined;
  const fingerprint = Uint8Array.from(hex.split(':'), (byte) => Number.parseInt(byte, 16));
  return { fingerprint, ice: { ufrag, password }, mid: mid ?? '0' };
}

/** `4A:AD:B9:...` (RFC 8122 section 5). */
function printFingerprint(fingerprint: Uint8Array): string {
  return Array.from(fingerprint, (byte) => byte.toString(16).toUpperCase().padStart(2, '0')).join(
    ':',
  );
}
