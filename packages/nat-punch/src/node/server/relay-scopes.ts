// Whom the relay may carry for: which members are here, and what each of them may reach of the others of its room (RFC 8656 section 9.2
// leaves it to the server which peers are allowed).
import { type Endpoint, endpointKey } from '@bt/endpoint';
import { MAX_RELAY_SCOPES, SCOPE_PATIENCE_MS } from '../../rendezvous/rendezvous-limits.ts';

/** What the server knows of one member that is here. */
interface Scope {
  /** By which it came last. */
  readonly connection: string;
  readonly reach: Map<string, { readonly seen: Set<string>; readonly relayed: Set<string> }>;
  /** Its addresses that have been reported already; no more than the last few. */
  readonly reported: Set<string>;
  /** Since when that connection has been closed. */
  goneAt: number;
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

  /** A member is here, or back by another connection; of too many the one who came first is dropped. */
  enter(member: string, connection: string): void {
    const reach = this.#scopes.get(member)?.reach ?? new Map();
    this.#scopes.delete(member);
    const goneAt = Number.POSITIVE_INFINITY;
    this.#scopes.set(member, { connection, reach, reported: new Set(), goneAt });
    if (this.#scopes.size > MAX_RELAY_SCOPES) this.leave(this.#scopes.keys().next().value!);
  }

  /** The connection is closed; whether the member has left is told by its home, which may not get to. */
  handleEnd(now: number, member: string, connection: string): void {
    const scope = this.#scopes.get(member);
    if (scope?.connection === connection) scope.goneAt = now;
  }

  /** Members whose connection has been closed for long, of whom nothing has been heard since. */
  expired(now: number): string[] {
    return [...this.#scopes]
      .filter(([, { goneAt }]) => now >= goneAt + SCOPE_PATIENCE_MS)
      .map(([member]) => member);
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

  /** `endpoint` where only this port of the peer is known to be another member's: that of its allocation, on whichever server. */
  mayReach(member: string, peer: Endpoint): 'yes' | 'endpoint' | 'no' {
    let answer: 'endpoint' | 'no' = 'no';
    for (const { seen, relayed } of this.#scopes.get(member)?.reach.values() ?? []) {
      if (seen.has(peer.address)) return 'yes';
      if (relayed.has(endpointKey(peer))) answer = 'endpoint';
    }
    return answer;
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
