// An ICE lite agent (RFC 8445 section 2.5) that does no more than answer connectivity checks: what the forwarder on loopback is to the
// full agent within node-datachannel. So ICE ends on this machine, and what crosses the path is DTLS alone.
import type { Endpoint } from '@bt/endpoint';
import { utf8ToBytes } from '@noble/hashes/utils.js';
import { STUN_ATTRIBUTE } from '../stun/stun-attributes.ts';
import { hasIntegrity } from '../stun/stun-integrity.ts';
import { decodeStunMessage, STUN_METHOD, StunWriter } from '../stun/stun-message.ts';

export interface IceLiteCredentials {
  readonly ufrag: string;
  readonly password: string;
}

/**
 * The answer to a connectivity check (RFC 8445 section 7.3); undefined when the datagram is none, or comes from someone who doesn't know the
 * password.
 *
 * @param source where it came from
 */
export function answerCheck(
  datagram: Uint8Array,
  source: Endpoint,
  { ufrag, password }: IceLiteCredentials,
): Uint8Array | undefined {
  const message = decodeStunMessage(datagram);
  if (message?.method !== STUN_METHOD.binding || message.class !== 'request') return undefined;
  if (message.text(STUN_ATTRIBUTE.username)?.split(':')[0] !== ufrag) return undefined;
  const key = utf8ToBytes(password);
  if (!hasIntegrity(message, key)) return undefined;
  return new StunWriter('success', STUN_METHOD.binding, message.transactionId)
    .xorAddress(STUN_ATTRIBUTE.xorMappedAddress, source)
    .integrity('sha1', key)
    .fingerprint()
    .finish();
}
