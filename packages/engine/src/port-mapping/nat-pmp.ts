// NAT Port Mapping Protocol (RFC 6886): requests and answers. All numbers are big-endian.

import { printAddress } from '@bt/endpoint';
import { GatewayRefusal, type MappedProtocol, type MappingRequest } from './mapping.ts';

const VERSION = 0;
/** Set in the opcode of an answer (section 3.5). */
const ANSWER = 128;
const OPCODE = { externalAddress: 0, udp: 1, tcp: 2 } as const;

/** Section 3.5. */
const RESULTS: Readonly<Record<number, string>> = {
  1: 'unsupported version',
  2: 'not authorized',
  3: 'network failure',
  4: 'out of resources',
  5: 'unsupported opcode',
};

/** Section 3.2. */
export function encodeAddressRequest(): Uint8Array {
  return Uint8Array.of(VERSION, OPCODE.externalAddress);
}

/** Section 3.3; section 3.4 with a lifetime of 0, where the external port has to be 0, too. */
export function encodeMappingRequest(request: MappingRequest): Uint8Array {
  const bytes = new Uint8Array(12);
  const view = new DataView(bytes.buffer);
  bytes[0] = VERSION;
  bytes[1] = OPCODE[request.protocol];
  view.setUint16(4, request.port);
  view.setUint16(6, request.lifetimeSeconds === 0 ? 0 : request.externalPort);
  view.setUint32(8, request.lifetimeSeconds);
  return bytes;
}

/** The external address; undefined for a datagram that doesn't answer this request. @throws {GatewayRefusal} */
export function decodeAddressAnswer(bytes: Uint8Array): string | undefined {
  if (!isAnswer(bytes, OPCODE.externalAddress, 12)) return undefined;
  return printAddress(bytes.subarray(8, 12));
}

export interface NatPmpMapping {
  readonly externalPort: number;
  readonly lifetimeSeconds: number;
}

/** Undefined for a datagram that doesn't answer this request. @throws {GatewayRefusal} */
export function decodeMappingAnswer(
  bytes: Uint8Array,
  protocol: MappedProtocol,
  port: number,
): NatPmpMapping | undefined {
  if (!isAnswer(bytes, OPCODE[protocol], 16)) return undefined;
  const view = viewOf(bytes);
  if (view.getUint16(8) !== port) return undefined;
  return { externalPort: view.getUint16(10), lifetimeSeconds: view.getUint32(12) };
}

function isAnswer(bytes: Uint8Array, opcode: number, lengthBytes: number): boolean {
  if (bytes.length < 8 || bytes[0] !== VERSION || bytes[1] !== ANSWER + opcode) return false;
  const result = viewOf(bytes).getUint16(2);
  if (result !== 0) throw new GatewayRefusal(RESULTS[result] ?? `result ${result}`, result);
  return bytes.length === lengthBytes;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
