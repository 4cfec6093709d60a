// Who makes room when an accepted connection finds none: the peer with the lowest canonical priority (BEP 40), if the
// newcomer's is higher. So that whoever comes first in great numbers can't keep the others out, and all peers agree on
// which connections stay. Only those that came to us as well, and that move no data, are displaced.

import type { Endpoint } from '@bt/endpoint';
import type { Peer } from '../peer.ts';
import type { Priorities } from './candidates.ts';

/** The peer that makes room for a newcomer; undefined: none does. */
export function displacedBy(
  newcomer: Endpoint,
  peers: Iterable<Peer>,
  priorities: Priorities,
  now: number,
): Peer | undefined {
  let lowest = priorities.of(newcomer);
  let displaced: Peer | undefined;
  for (const peer of peers) {
    if (peer.direction !== 'in' || isBusy(peer, now)) continue;
    const priority = priorities.of(peer.identity.listensAt ?? peer.endpoint);
    if (priority >= lowest) continue;
    lowest = priority;
    displaced = peer;
  }
  return displaced;
}

function isBusy(peer: Peer, now: number): boolean {
  return peer.down.rate(now) > 0 || peer.up.rate(now) > 0;
}
