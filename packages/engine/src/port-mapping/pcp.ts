// Port Control Protocol (RFC 6887), its MAP opcode: requests and answers. All numbers are big-endian, addresses are of
// 16 bytes, IPv4 ones mapped (section 5).

import { parseAddress, printAddress } from '@bt/endpoint';
import {
  GatewayRefusal,
  type GrantedMapping,
  type MappedProtocol,
  type MappingRequest,
} from './mapping.ts';

const VERSION = 2;
const MAP = 1;
/** The first bit of the opcode in an answer (section 7.2). */
const ANSWER = 0x80;
const HEADER_BYTES = 24;
const MAP_BYTES = 36;
export const NONCE_BYTES = 12;
/** Section 7: a message is no longer, and a multiple of 4. */
const MAX_MESSAGE_BYTES = 1100;

/** IANA protocol numbers. */
const PROTOCOL: Readonly<Record<MappedProtocol, number>> = { tcp: 6, udp: 17 };

/** Section 7.4. */
const RESULTS: Readonly<Record<number, string>> = {
  1: 'unsupported version',
  2: 'not authorized',
  3: 'malformed request',
  4: 'unsupported opcode',
  7: 'network failure',
  8: 'no resources',
  9: 'unsupported protocol',
  10: 'too many mappings',
  11: 'the external port or address is not to be had',
  12: 'our address is not the one that it sees',
  13: 'too many remote peers',
};

/** Sections 7.1 and 11.1. `clientAddress` is ours, `nonce` random and the same for every renewal of a mapping. */
export function encodeMapRequest(
  request: MappingRequest,
  clientAddress: string,
  nonce: Uint8Array,
): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + MAP_BYTES);
  const view = new DataView(bytes.buffer);
  bytes[0] = VERSION;
  bytes[1] = MAP;
  view.setUint32(4, request.lifetimeSeconds);
  writeAddress(bytes, 8, clientAddress);
  bytes.set(nonce.subarray(0, NONCE_BYTES), HEADER_BYTES);
  bytes[36] = PROTOCOL[request.protocol];
  view.setUint16(40, request.port);
  // Section 15: to remove a mapping both are to be zero.
  view.setUint16(42, request.lifetimeSeconds === 0 ? 0 : request.externalPort);
  // Any address of this family (section 11.1).
  writeAddress(bytes, 44, clientAddress.includes(':') ? '::' : '0.0.0.0');
  return bytes;
}

/**
 * Undefined for a datagram that doesn't answer this request; `other-version` where the gateway speaks NAT-PMP or a later
 * PCP only (RFC 6887 section 9, RFC 6886 section 3.5).
 *
 * @throws {GatewayRefusal}
 */
export function decodeMapAnswer(
  bytes: Uint8Array,
  request: MappingRequest,
  nonce: Uint8Array,
): GrantedMapping | 'other-version' | undefined {
  if (bytes.length < 4 || bytes.length > MAX_MESSAGE_BYTES) return undefined;
  const opcode = bytes[1]!;
  if ((opcode & ANSWER) === 0) return undefined;
  // NAT-PMP has its result in two bytes, of which the second stands where PCP's is.
  const result = bytes[3]!;
  if (bytes[0] !== VERSION) return result === 1 ? 'other-version' : undefined;
  if (opcode !== (ANSWER | MAP) || bytes.length % 4 !== 0) return undefined;
  if (bytes.length < HEADER_BYTES + MAP_BYTES) {
    // An error may come without the rest, when the gateway could make nothing of it.
    if (result === 1) return 'other-version';
    if (result !== 0 && bytes.length >= HEADER_BYTES) throw refusal(result);
    return undefined;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let i = 0; i < NONCE_BYTES; i += 1) {
    if (bytes[HEADER_BYTES + i] !== nonce[i]) return undefined;
  }
  if (bytes[36] !== PROTOCOL[request.protocol] || view.getUint16(40) !== request.port) {
    return undefined;
  }
  if (result === 1) return 'other-version';
  if (result !== 0) throw refusal(result);
  return {
    externalPort: view.getUint16(42),
    externalAddress: printAddress(bytes.subarray(44, 60)),
    lifetimeSeconds: view.getUint32(4),
  };
}

function refusal(result: number): GatewayRefusal {
  return new GatewayRefusal(RESULTS[result] ?? `result ${result}`, result);
}

function writeAddress(bytes: Uint8Array, offset: number, address: string): void {
  const parsed = parseAddress(address);
  if (parsed?.length === 16) {
    bytes.set(parsed, offset);
  } else if (parsed !== undefined) {
    bytes.fill(0xff, offset + 10, offset + 12);
    bytes.set(parsed, offset + 12);
  }
}

/** Section 14.1: asks for nothing but an answer. */
export function encodeAnnounceRequest(clientAddress: string): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES);
  bytes[0] = VERSION;
  writeAddress(bytes, 8, clientAddress);
  return bytes;
}

/** What an answer to `encodeAnnounceRequest` shows the gateway to speak; undefined for a datagram that is none. */
export function decodeAnnounceAnswer(bytes: Uint8Array): 'pcp' | 'other-version' | undefined {
  if (bytes.length < 4 || bytes.length > MAX_MESSAGE_BYTES) return undefined;
  if ((bytes[1]! & ANSWER) === 0) return undefined;
  if (bytes[0] === VERSION) return bytes[3] === 1 ? 'other-version' : 'pcp';
  return bytes[3] === 1 ? 'other-version' : undefined;
}
