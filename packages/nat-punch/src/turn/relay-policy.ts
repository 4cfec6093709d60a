// Whom a relay may reach (RFC 8656 section 21.1, and the relays that were made to reach their own network): public addresses, members of the
// same pool, what the administrator allows; the server's own listening ports and addresses that are nobody's never.
import {
  type AddressClass,
  addressClass,
  type Endpoint,
  parseAddress,
  printAddress,
} from '@bt/endpoint';
import { type Cidr, isInCidr, parseCidr } from './cidr.ts';

/** What the server asks of whoever knows its users. */
export interface RelayAccess {
  /** The password of a user name now (ms); undefined when there is none, or it has run out. */
  passwordOf(username: string, now: number): string | undefined;
  /** The account that a user name belongs to, where one has several; the user name itself unless told otherwise. */
  accountOf?(username: string): string;
  /**
   * Whether this user may exchange datagrams with that peer. `yes` is for all ports of its address, as permissions are (RFC 8656 section 9);
   * `endpoint` for this port alone, as that of an allocation on another server, whose other ports are strangers'. `class` leaves it to the
   * address: public ones yes, all others only where the administrator allows them.
   */
  mayReach(username: string, peer: Endpoint): 'yes' | 'endpoint' | 'no' | 'class';
}

/** How far a permission goes: to all ports of the peer's address, or to its endpoint alone. */
export type Reach = 'address' | 'endpoint';

export interface RelayPolicyOptions {
  readonly mayReach: RelayAccess['mayReach'];
  /** Ranges of addresses that may be reached although they are not public. */
  readonly allowPeers: readonly string[];
}

export class RelayPolicy {
  readonly #mayReach: RelayAccess['mayReach'];
  readonly #allowed: readonly Cidr[];
  #ownAddresses = new Set<string>();
  readonly #ownPorts = new Set<number>();

  /** @throws {NatPunchError} `invalid-argument` for a range that is none. */
  constructor(options: RelayPolicyOptions) {
    this.#mayReach = (username, peer) => options.mayReach(username, peer);
    this.#allowed = options.allowPeers.map(parseCidr);
  }

  /** An address of this host, or one that it is known by. It has to be canonical. */
  addOwnAddress(address: string): void {
    this.#ownAddresses.add(address);
  }

  /** All of these addresses, and no others, are this host's. */
  setOwnAddresses(addresses: Iterable<string>): void {
    this.#ownAddresses = new Set(addresses);
  }

  /** A port that this server listens on. */
  addOwnPort(port: number): void {
    this.#ownPorts.add(port);
  }

  /** Whether an address is this host. Loopback addresses are, all of them. */
  isOwn(address: string): boolean {
    const plain = withoutNat64(address);
    return this.#ownAddresses.has(plain) || addressClass(plain) === 'loopback';
  }

  /**
   * How far the user's relay may send to this peer and hear of it, if at all. At the server's own addresses it is never further than the very
   * endpoint: other allocations are there. The address has to be canonical.
   */
  reach(username: string, peer: Endpoint): Reach | undefined {
    // NAT64 addresses are judged by the IPv4 address in them.
    const kind = addressClass(peer.address);
    if (kind === 'unspecified' || kind === 'multicast' || kind === 'reserved') return undefined;
    const isOwn = this.isOwn(peer.address);
    if (isOwn && this.#ownPorts.has(peer.port)) return undefined;
    const answer = this.#mayReach(username, peer);
    const isAllowed = answer === 'class' ? this.#allowsClass(peer, kind) : answer !== 'no';
    if (!isAllowed) return undefined;
    return isOwn || answer === 'endpoint' ? 'endpoint' : 'address';
  }

  #allowsClass(peer: Endpoint, kind: AddressClass): boolean {
    if (kind === 'public') return true;
    const address = parseAddress(peer.address);
    return address !== undefined && this.#allowed.some((range) => isInCidr(address, range));
  }
}

/** The IPv4 address in one of NAT64 (RFC 6052 section 2.1, RFC 8215), any other address as it is. */
function withoutNat64(address: string): string {
  if (!address.startsWith('64:ff9b:')) return address;
  const bytes = parseAddress(address);
  return bytes === undefined ? address : printAddress(bytes.subarray(12));
}
