// Ranges of addresses as an administrator writes them: 10.0.0.0/8, fc00::/7 (RFC 4632 section 3.1), or one address.
import { parseAddress } from '@bt/endpoint';
import { NatPunchError } from '../errors.ts';

export interface Cidr {
  /** 4 or 16 bytes. */
  readonly prefix: Uint8Array;
  readonly prefixBits: number;
}

/** @throws {NatPunchError} `invalid-argument`. */
export function parseCidr(text: string): Cidr {
  const match = /^([^/]+)(?:\/(0|[1-9][0-9]{0,2}))?$/.exec(text);
  const prefix = match === null ? undefined : parseAddress(match[1]!);
  if (prefix !== undefined) {
    const prefixBits = match?.[2] === undefined ? 8 * prefix.length : Number(match[2]);
    if (prefixBits <= 8 * prefix.length) return { prefix, prefixBits };
  }
  throw new NatPunchError('invalid-argument', `not a range of addresses: ${JSON.stringify(text)}`);
}

/** Whether the address, 4 or 16 bytes, lies in the range. */
export function isInCidr(address: Uint8Array, range: Cidr): boolean {
  if (address.length !== range.prefix.length) return false;
  for (let bit = 0; bit < range.prefixBits; bit += 8) {
    const mask = 0xff00 >>> Math.min(8, range.prefixBits - bit);
    const difference = address[bit >>> 3]! ^ range.prefix[bit >>> 3]!;
    if ((difference & mask & 0xff) !== 0) return false;
  }
  return true;
}
