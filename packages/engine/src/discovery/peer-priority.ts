// Canonical peer priority (BEP 40): a number for each pair of peers that both ends reckon alike. When everybody prefers the
// connections with the larger numbers, newcomers get in everywhere, and the swarm's connections are as good as random.

import { addressFamily, type Endpoint, parseAddress } from '@bt/endpoint';
import type { ExternalAddress } from './external-address.ts';

/** Bytes of an address that always count in full: the IPv4 /16, the IPv6 /48. */
const NETWORK_BYTES = { 4: 2, 16: 6 } as const;
/** Of the bytes behind, every second bit counts. */
const HOST_MASK = 0x55;
/** CRC-32C (RFC 3720, appendix B.4), reflected. */
const POLYNOMIAL = 0x82f63b78;

/** The priorities of other peers for us. */
export class PeerPriorities {
  readonly #external: ExternalAddress;
  readonly #listenPort: number;

  constructor(external: ExternalAddress, listenPort: number) {
    this.#external = external;
    this.#listenPort = listenPort;
  }

  /** Grows when our own address may have changed. */
  get version(): number {
    return this.#external.version;
  }

  /** 0 while our own address is not known. */
  of(peer: Endpoint): number {
    const family = addressFamily(peer.address);
    const address = family === undefined ? undefined : this.#external.of(family);
    if (address === undefined) return 0;
    return peerPriority({ address, port: this.#external.portOf(this.#listenPort) }, peer);
  }
}

/** 0 to 2^32 - 1, the same from both ends; 0 for addresses of two families. */
export function peerPriority(a: Endpoint, b: Endpoint): number {
  const addressA = parseAddress(a.address);
  const addressB = parseAddress(b.address);
  if (addressA === undefined || addressB === undefined) return 0;
  if (addressA.length !== addressB.length) return 0;
  const common = commonBytes(addressA, addressB);
  if (common === addressA.length) return checksumOfPair(portBytes(a.port), portBytes(b.port));
  const network = NETWORK_BYTES[addressA.length === 4 ? 4 : 16];
  const whole = common < network ? network : common + 1;
  for (let i = whole; i < addressA.length; i += 1) {
    addressA[i]! &= HOST_MASK;
    addressB[i]! &= HOST_MASK;
  }
  return checksumOfPair(addressA, addressB);
}

function commonBytes(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return i;
  return a.length;
}

function portBytes(port: number): Uint8Array {
  return Uint8Array.of(port >>> 8, port & 0xff);
}

function checksumOfPair(a: Uint8Array, b: Uint8Array): number {
  const [first, second] = isBefore(b, a) ? [b, a] : [a, b];
  let crc = 0xffff_ffff;
  for (const bytes of [first, second]) for (const byte of bytes) crc = checksumByte(crc, byte);
  return ~crc >>> 0;
}

function checksumByte(crc: number, byte: number): number {
  let next = crc ^ byte;
  for (let bit = 0; bit < 8; bit += 1) next = (next >>> 1) ^ (next & 1 ? POLYNOMIAL : 0);
  return next;
}

function isBefore(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return a[i]! < b[i]!;
  return false;
}
