// Where a stranger's tracker URL may lead us: the guard against making this host ask its own and its neighbours' services
// (server-side request forgery). Judged on resolved addresses, at every hop.
import type { AddressClass } from '@bt/endpoint';

export interface Reach {
  /** The request asks for `/announce` or `/scrape` with nothing but our own query: harmless to any service. */
  readonly isPlain: boolean;
  /** An earlier hop of the same exchange was on a public address. */
  readonly afterPublic: boolean;
}

/** Whether an exchange may go to an address of this class. */
export function isReachable(kind: AddressClass, reach: Reach): boolean {
  if (reach.afterPublic) return kind === 'public';
  switch (kind) {
    case 'public':
    case 'private':
    case 'shared':
      return true;
    // This host, and what answers on the link (cloud metadata services among it).
    case 'loopback':
    case 'link-local':
      return reach.isPlain;
    // Never a server. Some systems take the unspecified address for loopback.
    case 'unspecified':
    case 'multicast':
    case 'reserved':
      return false;
  }
}
