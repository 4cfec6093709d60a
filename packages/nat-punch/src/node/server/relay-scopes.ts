// Whom the relay may carry for: which members are here, and what each of them may reach of the others of its room (RFC 8656 section 9.2
// leaves it to the server which peers are allowed).
import { type Endpoint, endpointKey } from '@bt/endpoint';

/** What the server knows of one member that is here. */
interface Scope {
  /** By which it came last. */
  readonly connection: string;
  readonly reach: Map<string, { readonly seen: Set<string>; readonly relayed: Set<string> }>;
  /** Its addresses that have been reported already; no more than the last few. */
  readonly reported: Set<string>;
}

/** Of one member; with more the oldest is forgotten, and reported again when it shows up again. */
const MAX_REPORTED = 32;

export class RelayScopes {
  readonly #scopes = new Map<string, Scope>();

  has(member: string): boolean {
    return this.#scopes.has(member);
  }

  connectionOf(member: string): string | undefined {
    return this.#scopes.get(member)?.connection;
  }

  /** A member is here, or back by another connection. */
  enter(member: string, connection: string): void {
    const reach = this.#scopes.get(member)?.reach ?? new Map();
    this.#scopes.set(member, { connection, reach, reported: new Set() });
  }

  leave(member: string): void {
    this.#scopes.delete(member);
  }

  setReach(
    member: string,
    peer: string,
    seen: readonly string[],
    relayed: readonly Endpoint[],
  ): void {
    const reach = { seen: new Set(seen), relayed: new Set(relayed.map(endpointKey)) };
    this.#scopes.get(member)?.reach.set(peer, reach);
  }

  removeReach(member: string, peer: string): void {
    this.#scopes.get(member)?.reach.delete(peer);
  }

  mayReach(member: string, peer: Endpoint): boolean {
    for (const { seen, relayed } of this.#scopes.get(member)?.reach.values() ?? []) {
      if (seen.has(peer.address) || relayed.has(endpointKey(peer))) return true;
    }
    return false;
  }

  /** Whether it is news that a member was seen at an address. */
  isNews(member: string, address: string): boolean {
    const reported = this.#scopes.get(member)?.reported;
    if (reported === undefined || reported.has(address)) return false;
    reported.add(address);
    if (reported.size > MAX_REPORTED) reported.delete(reported.values().next().value!);
    return true;
  }
}
