// Which addresses count as one, where something is counted by address: whoever has an IPv6 address has 2^64 of them.
import { parseAddressInto, printAddressAt } from './address.ts';
import { isNat64At } from './address-class.ts';
import { EndpointError } from './errors.ts';

/**
 * The network that counts as one host, as a key for maps: an IPv4 address itself, of an IPv6 address its /64, which is the least that
 * a subscriber is given (RFC 6177). One that NAT64 has made is the IPv4 address in it.
 *
 * @throws {EndpointError} `invalid-address`.
 */
export function networkOf(address: string): string {
  const length = parseAddressInto(address, scratch, 0);
  if (length === 0) {
    throw new EndpointError('invalid-address', `not an IP address: ${JSON.stringify(address)}`);
  }
  if (length === 4) return printAddressAt(scratch, 0, 4);
  if (isNat64At(scratch, 0)) return printAddressAt(scratch, 12, 4);
  scratch.fill(0, 8);
  return `${printAddressAt(scratch, 0, 6)}/64`;
}

const scratch = new Uint8Array(16);
