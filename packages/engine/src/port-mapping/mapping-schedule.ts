// Which port mapping is to be asked for when: at once, again at half of what was granted, later after a failure. A machine
// without I/O: `poll()` says what to ask for, the outcome comes back through `granted` and `failed`.

import {
  MAPPING_LIFETIME_SECONDS,
  MAPPING_RETRY_FIRST_MS,
  MAPPING_RETRY_MAX_MS,
  MAX_MAPPING_LIFETIME_SECONDS,
  MIN_MAPPING_LIFETIME_SECONDS,
} from '../limits.ts';
import type { GrantedMapping, LocalPort, MappingRequest } from './mapping.ts';

interface Wish {
  readonly port: LocalPort;
  granted: GrantedMapping | undefined;
  isAsked: boolean;
  askAtMs: number;
  failures: number;
}

export class MappingSchedule {
  readonly #random: () => number;
  readonly #wishes: Wish[] = [];

  constructor(random: () => number) {
    this.#random = random;
  }

  /** The port is to be mapped, from now on. */
  add(now: number, port: LocalPort): void {
    const wish = { port, granted: undefined, isAsked: false, askAtMs: now, failures: 0 };
    this.#wishes.push(wish);
  }

  /** The next mapping to ask for. */
  poll(now: number): MappingRequest | undefined {
    for (const wish of this.#wishes) {
      if (wish.isAsked || wish.askAtMs > now) continue;
      wish.isAsked = true;
      const externalPort = wish.granted?.externalPort ?? wish.port.port;
      return { ...wish.port, externalPort, lifetimeSeconds: MAPPING_LIFETIME_SECONDS };
    }
    return undefined;
  }

  /** When `poll` has something next; Infinity for never. */
  deadline(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { isAsked, askAtMs } of this.#wishes) if (!isAsked) next = Math.min(next, askAtMs);
    return next;
  }

  granted(now: number, port: LocalPort, mapping: GrantedMapping): void {
    const wish = this.#find(port);
    if (wish === undefined) return;
    wish.isAsked = false;
    wish.granted = mapping;
    wish.failures = 0;
    const seconds = Math.min(
      Math.max(mapping.lifetimeSeconds, MIN_MAPPING_LIFETIME_SECONDS),
      MAX_MAPPING_LIFETIME_SECONDS,
    );
    // Half of it (RFC 6886 section 3.3, RFC 6887 section 11.2.1), spread a little.
    wish.askAtMs = now + seconds * 1000 * (0.45 + 0.1 * this.#random());
  }

  failed(now: number, port: LocalPort): void {
    const wish = this.#find(port);
    if (wish === undefined) return;
    wish.isAsked = false;
    wish.granted = undefined;
    const waitMs = Math.min(MAPPING_RETRY_FIRST_MS * 2 ** wish.failures, MAPPING_RETRY_MAX_MS);
    wish.failures += 1;
    wish.askAtMs = now + waitMs * (0.75 + 0.5 * this.#random());
  }

  #find(port: LocalPort): Wish | undefined {
    return this.#wishes.find(
      (wish) => wish.port.port === port.port && wish.port.protocol === port.protocol,
    );
  }
}
