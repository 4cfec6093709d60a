// Where a web seed's URL may lead us: the guard against making this host ask its own and its neighbours' services
// (server-side request forgery). Judged on resolved addresses, at every hop.

import type { AddressClass } from '@bt/endpoint';

export interface WebReach {
  /** An earlier hop of the same request was on a public address. */
  readonly afterPublic: boolean;
  /** The URL has a query: it may be more than the name of a file. */
  readonly hasQuery: boolean;
}

/**
 * Whether a request may go to an address of this class. A seed that the torrent itself names may be on this host or in its
 * network, for a file and without a query; from a public address nothing leads back there.
 */
export function isWebReachable(kind: AddressClass, reach: WebReach): boolean {
  switch (kind) {
    case 'public':
      return true;
    case 'loopback':
    case 'link-local':
    case 'private':
    case 'shared':
      return !reach.afterPublic && !reach.hasQuery;
    // Never a server. Some systems take the unspecified address for loopback.
    case 'unspecified':
    case 'multicast':
    case 'reserved':
      return false;
  }
}
