// Answers to Binding requests: a client's address as the server sees it (RFC 8489 section 12), and from another port or address of the server
// where NAT behaviour is being discovered (RFC 5780).
import type { ClientLink, SourceChange } from '../client-link.ts';
import { STUN_ATTRIBUTE } from './stun-attributes.ts';
import { type StunMessage, StunWriter } from './stun-message.ts';

/** RFC 5780 section 7.2. */
const CHANGE_ADDRESS = 0x04;
const CHANGE_PORT = 0x02;

/** What a Binding request asks for beyond its answer. */
export interface BindingRequest {
  readonly change: SourceChange;
  /** Attributes that have to be understood, and are not, or can't be complied with. */
  readonly unknown: readonly number[];
}

const KNOWN: ReadonlySet<number> = new Set([
  STUN_ATTRIBUTE.mappedAddress,
  STUN_ATTRIBUTE.changeRequest,
  STUN_ATTRIBUTE.username,
  STUN_ATTRIBUTE.messageIntegrity,
  STUN_ATTRIBUTE.errorCode,
  STUN_ATTRIBUTE.unknownAttributes,
  STUN_ATTRIBUTE.realm,
  STUN_ATTRIBUTE.nonce,
  STUN_ATTRIBUTE.messageIntegritySha256,
  STUN_ATTRIBUTE.xorMappedAddress,
  STUN_ATTRIBUTE.priority,
  STUN_ATTRIBUTE.useCandidate,
]);
const NO_CHANGE: SourceChange = { address: false, port: false };
const NOTHING_ASKED: BindingRequest = { change: NO_CHANGE, unknown: [] };

/** Reads a Binding request. RESPONSE-PORT and PADDING are not understood: they make the server send where, and what, others ask for. */
export function readBindingRequest(request: StunMessage, link: ClientLink): BindingRequest {
  const unknown = request.unknownAttributes(KNOWN);
  const flags = request.uint32(STUN_ATTRIBUTE.changeRequest);
  if (flags === undefined && unknown.length === 0) return NOTHING_ASKED;
  const change = {
    address: ((flags ?? 0) & CHANGE_ADDRESS) !== 0,
    port: ((flags ?? 0) & CHANGE_PORT) !== 0,
  };
  const { otherAddress, otherPort } = link.place;
  const cannot =
    (change.address && otherAddress === undefined) || (change.port && otherPort === undefined);
  // RFC 5780 section 6.1: a server without an alternate address treats the attribute as unknown.
  return { change, unknown: cannot ? [...unknown, STUN_ATTRIBUTE.changeRequest] : unknown };
}

/**
 * Begins the answer: XOR-MAPPED-ADDRESS, and RESPONSE-ORIGIN and OTHER-ADDRESS where there is an alternate address. Nothing else is in it (no
 * SOFTWARE, no MAPPED-ADDRESS): so it is at most 1.6 times as long as the shortest request over IPv4 and 2.2 times over IPv6, with an
 * alternate address 2.8 and 4.6 times.
 */
export function bindingAnswer(
  request: StunMessage,
  link: ClientLink,
  change: SourceChange,
): StunWriter {
  const { address, port, otherAddress, otherPort } = link.place;
  const writer = new StunWriter('success', request.method, request.transactionId).xorAddress(
    STUN_ATTRIBUTE.xorMappedAddress,
    link.remote,
  );
  if (otherAddress === undefined || otherPort === undefined) return writer;
  const origin = {
    address: change.address ? otherAddress : address,
    port: change.port ? otherPort : port,
  };
  return writer
    .address(STUN_ATTRIBUTE.responseOrigin, origin)
    .address(STUN_ATTRIBUTE.otherAddress, { address: otherAddress, port: otherPort });
}
