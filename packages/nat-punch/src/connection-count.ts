// How many connections there are, in all and of one address: an IPv4 address, or an IPv6 /64.
import { networkOf } from '@bt/endpoint';
import { MAX_TCP_CONNECTIONS, MAX_TCP_CONNECTIONS_PER_ADDRESS } from './turn/relay-limits.ts';

export class ConnectionCount {
  #total = 0;
  readonly #byNetwork = new Map<string, number>();

  get total(): number {
    return this.#total;
  }

  /** Counts one more of this IP address; false when there is no room for it. */
  add(address: string): boolean {
    const network = networkOf(address);
    const count = this.#byNetwork.get(network) ?? 0;
    if (this.#total >= MAX_TCP_CONNECTIONS || count >= MAX_TCP_CONNECTIONS_PER_ADDRESS) {
      return false;
    }
    this.#total += 1;
    this.#byNetwork.set(network, count + 1);
    return true;
  }

  /** Counts one less. */
  remove(address: string): void {
    const network = networkOf(address);
    const count = this.#byNetwork.get(network);
    if (count === undefined) return;
    this.#total -= 1;
    if (count === 1) this.#byNetwork.delete(network);
    else this.#byNetwork.set(network, count - 1);
  }
}
