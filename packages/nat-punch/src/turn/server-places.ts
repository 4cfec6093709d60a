// Where a server listens for UDP, and which of its sockets answer for one another (RFC 5780 section 6): each address with both ports, and
// those that clients of the alternate address can reach together with it.
import { addressClass, addressFamily } from '@bt/endpoint';
import type { ServerPlace } from '../client-link.ts';

/**
 * @param addresses canonical, `alternateAddress` among them.
 * @param port the first of two.
 */
export function serverPlaces(
  addresses: readonly string[],
  port: number,
  alternateAddress: string | undefined,
): ServerPlace[] {
  const paired = pairedWith(addresses, alternateAddress);
  return addresses.flatMap((address) => {
    const isPaired = paired.includes(address);
    const otherAddress =
      address === alternateAddress ? paired[0] : isPaired ? alternateAddress : undefined;
    return [
      { address, port, otherPort: port + 1, otherAddress },
      { address, port: port + 1, otherPort: port, otherAddress },
    ];
  });
}

/** The addresses that the alternate one is for: of its family, and of its kind if there is one, so that none is told a loopback address. */
function pairedWith(addresses: readonly string[], alternate: string | undefined): string[] {
  if (alternate === undefined) return [];
  const family = addresses.filter(
    (address) => address !== alternate && addressFamily(address) === addressFamily(alternate),
  );
  const kind = family.filter((address) => addressClass(address) === addressClass(alternate));
  return kind.length > 0 ? kind : family;
}
