// What an Allocate request asks for (RFC 8656 section 7.2, the checks that need no knowledge of the server's state), and lifetimes.
import type { AddressFamily } from '@bt/endpoint';
import { STUN_ATTRIBUTE, STUN_FAMILY, TRANSPORT_UDP } from '../stun/stun-attributes.ts';
import type { StunMessage } from '../stun/stun-message.ts';
import { DEFAULT_LIFETIME_MS, MAX_LIFETIME_MS } from './relay-limits.ts';

export interface AllocateRequest {
  readonly lifetimeMs: number;
  readonly family: AddressFamily;
  /** An IPv6 address beside the IPv4 one, as far as there is one. */
  readonly isDual: boolean;
  readonly port: 'any' | 'even' | 'even-and-next';
  /** Of 8 bytes, in hexadecimal: takes the port that another allocation has reserved. */
  readonly reservation: string | undefined;
}

/** The request, or the number of the error that it gets. */
export function readAllocateRequest(request: StunMessage): AllocateRequest | 400 | 440 | 442 {
  const transport = request.value(STUN_ATTRIBUTE.requestedTransport);
  if (transport?.length !== 4) return 400;
  if (transport[0] !== TRANSPORT_UDP) return 442;
  const token = request.value(STUN_ATTRIBUTE.reservationToken);
  const even = request.value(STUN_ATTRIBUTE.evenPort);
  const additional = request.value(STUN_ATTRIBUTE.additionalAddressFamily);
  const hasFamily = request.has(STUN_ATTRIBUTE.requestedAddressFamily);
  if (token !== undefined && (token.length !== 8 || even !== undefined || hasFamily)) return 400;
  if (even !== undefined && even.length !== 1) return 400;
  const reservesNext = even !== undefined && (even[0]! & 0x80) !== 0;
  if (additional !== undefined) {
    if (hasFamily || token !== undefined || reservesNext) return 400;
    if (additional.length !== 4 || additional[0] !== STUN_FAMILY[6]) return 400;
  }
  const family = requestedFamily(request);
  if (family === undefined) return 440;
  return {
    lifetimeMs: lifetimeMs(request),
    family,
    isDual: additional !== undefined,
    port: even === undefined ? 'any' : reservesNext ? 'even-and-next' : 'even',
    reservation: token === undefined ? undefined : hex(token),
  };
}

/** REQUESTED-ADDRESS-FAMILY, IPv4 where there is none; undefined when it is neither. */
export function requestedFamily(request: StunMessage): AddressFamily | undefined {
  const value = request.value(STUN_ATTRIBUTE.requestedAddressFamily);
  if (value === undefined || value[0] === STUN_FAMILY[4]) return 4;
  return value[0] === STUN_FAMILY[6] ? 6 : undefined;
}

/** The lifetime that an Allocate or Refresh gets: what it asks for, within our bounds. A Refresh with 0 is its sender's affair. */
export function lifetimeMs(request: StunMessage): number {
  const seconds = request.uint32(STUN_ATTRIBUTE.lifetime) ?? 0;
  return Math.min(Math.max(1000 * seconds, DEFAULT_LIFETIME_MS), MAX_LIFETIME_MS);
}

export function hex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0');
  return text;
}
