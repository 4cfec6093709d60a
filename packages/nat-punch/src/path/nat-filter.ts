// The test mode of a client: its sockets behave as if they were behind a NAT of a kind, on one machine and without privileges. What such a
// NAT would map anew goes out by another socket; what it would drop is dropped. It is a filter of the datagrams, whoever they are for.
import { type Endpoint, endpointKey } from '@bt/endpoint';

export type FilterKind = 'full-cone' | 'address-restricted' | 'port-restricted' | 'symmetric';

/** By the number that stands on the command line. */
export const FILTER_KINDS: readonly FilterKind[] = [
  'full-cone',
  'address-restricted',
  'port-restricted',
  'symmetric',
];

/** As long as nothing is sent (RFC 4787 REQ-5 asks for 2 minutes and more). */
export const FILTER_LIFETIME_MS = 120_000;
/** Endpoints that a socket has sent to, of which it lets something in. Those sent to longest ago are forgotten. */
export const MAX_FILTER_ENTRIES = 8_192;

/** The mappings of one inner socket. */
export class NatFilter {
  readonly #kind: FilterKind;
  /** When something was last sent to an address, or an endpoint, the oldest first. */
  readonly #sentTo = new Map<string, number>();

  constructor(kind: FilterKind) {
    this.#kind = kind;
  }

  /** Notes that something is sent. Returns the name of the mapping that it leaves by: each name is a socket of its own. */
  outbound(now: number, to: Endpoint): string {
    if (this.#kind === 'full-cone') return '';
    const key = this.#keyOf(to);
    this.#sentTo.delete(key);
    this.#sentTo.set(key, now);
    if (this.#sentTo.size > MAX_FILTER_ENTRIES) {
      for (const oldest of this.#sentTo.keys()) {
        this.#sentTo.delete(oldest);
        break;
      }
    }
    return this.#kind === 'symmetric' ? key : '';
  }

  /** Whether what comes to that mapping is let in. */
  inbound(now: number, mapping: string, from: Endpoint): boolean {
    if (this.#kind === 'full-cone') return true;
    const key = this.#keyOf(from);
    if (this.#kind === 'symmetric' && key !== mapping) return false;
    const sentMs = this.#sentTo.get(key);
    return sentMs !== undefined && now - sentMs < FILTER_LIFETIME_MS;
  }

  #keyOf(endpoint: Endpoint): string {
    return this.#kind === 'address-restricted' ? endpoint.address : endpointKey(endpoint);
  }
}
