// Two connections to one peer: the older one stays. Whoever connects with the peer id of another can't displace it, since
// an id is no secret. Two honest peers that dial each other at the same time may differ on which connection is the older
// one, so only one end decides: the one with the smaller peer id closes what it takes for the newer one, and the other end
// waits for that, for a while.
//
// At another address the same peer id proves nothing: such connections leave each other alone.

import { endpointKey, networkOf } from '@bt/endpoint';
import { DUPLICATE_TIMEOUT_MS, SILENT_PEER_MS } from '../limits.ts';
import type { Moment } from '../moment.ts';
import { type Peer, PeerFault } from '../peer.ts';
import type { Peers } from './peers.ts';

export class Duplicates {
  readonly #moment: Moment;
  readonly #peers: Peers;
  readonly #ownPeerId: string;

  constructor(moment: Moment, peers: Peers, ownPeerId: string) {
    this.#moment = moment;
    this.#peers = peers;
    this.#ownPeerId = ownPeerId;
  }

  /**
   * A peer has told its id. Calls `closeDead` for an older connection that is all but dead.
   * @throws {PeerFault} `duplicate`: this connection is one too many
   */
  greeted(peer: Peer, id: string, closeDead: (older: Peer) => void): void {
    const { now } = this.#moment;
    for (;;) {
      const older = this.#find(peer, (other) => other.identity.peerId === id);
      if (older === undefined) return;
      if (older.listeningMs(now) - older.lastReceivedMs < SILENT_PEER_MS) break;
      closeDead(older);
    }
    if (this.#ownPeerId < id) throw new PeerFault('duplicate');
    peer.duplicateSinceMs = now;
  }

  /** True when the other end should have closed this connection or the older one by now. */
  isOverdue(peer: Peer): boolean {
    const sinceMs = peer.duplicateSinceMs;
    if (sinceMs === undefined || this.#moment.now - sinceMs < DUPLICATE_TIMEOUT_MS) return false;
    const { peerId } = peer.identity;
    const isOlder = (other: Peer) =>
      other.identity.peerId === peerId && other.duplicateSinceMs === undefined;
    if (this.#find(peer, isOlder) !== undefined) return true;
    peer.duplicateSinceMs = undefined;
    return false;
  }

  /**
   * Another connection to the same peer: it stands for the address that was dialled when this one ends, which then is no
   * failure of the address. A connection that ended before it told its id is known by the port that the other one names.
   */
  twinOf(peer: Peer): Peer | undefined {
    const { peerId, listensAt } = peer.identity;
    if (peerId !== undefined) {
      return this.#find(peer, (other) => other.identity.peerId === peerId);
    }
    if (listensAt === undefined) return undefined;
    const key = endpointKey(listensAt);
    return this.#find(peer, ({ identity }) => {
      return identity.listensAt !== undefined && endpointKey(identity.listensAt) === key;
    });
  }

  #find(peer: Peer, matches: (other: Peer) => boolean): Peer | undefined {
    const { address } = peer.endpoint;
    if (this.#peers.countFrom(networkOf(address)) === 0) return undefined;
    for (const other of this.#peers) {
      if (other !== peer && other.endpoint.address === address && matches(other)) return other;
    }
    return undefined;
  }
}
