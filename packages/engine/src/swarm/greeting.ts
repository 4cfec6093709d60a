// The handshake for each connection of a torrent, and the swarm that it is in (BEP 52, "upgrade path"). A hybrid torrent is
// dialled under the v1 info-hash and offers v2 by its bit, but where a peer was found in the v2 swarm, whose peers may know no other.
// Who accepts answers under the v2 info-hash where that was named or offered. So a connection can carry hashes
// whichever swarm its peer was found in.

import { sameBytes } from '@bt/metainfo';
import type { Handshake, HandshakeInput } from '@bt/wire';

/** What a torrent is called; the members of `Info`. */
export interface InfoHashes {
  /** 20 bytes: the v1 info-hash, or where there is none, that of v2 cut to 20 bytes. */
  readonly infoHash: Uint8Array;
  /** 32 bytes; v2 and hybrid. */
  readonly infoHashV2?: Uint8Array | undefined;
}

export interface GreetingOptions {
  readonly hashes: InfoHashes;
  readonly peerId: Uint8Array;
  /** What was said to us, on a connection that we have accepted. */
  readonly remote?: Handshake | undefined;
  /** The peer is dialled under the v2 info-hash. */
  readonly isV2Dialled?: boolean | undefined;
  /** We have a DHT node (BEP 5). */
  readonly hasDht: boolean;
}

/** What we say first. */
export function greeting(options: GreetingOptions): HandshakeInput {
  const { hashes, peerId, remote, isV2Dialled, hasDht } = options;
  const { infoHash } = hashes;
  const infoHashV2 = hashes.infoHashV2?.subarray(0, 20);
  const features = { fast: true, extended: true, dht: hasDht, v2: infoHashV2 !== undefined };
  if (infoHashV2 === undefined) return { infoHash, peerId, features };
  const isV2Accepted =
    remote !== undefined && (remote.features.v2 || isSameHash(remote.infoHash, infoHashV2));
  const isV2 = isV2Accepted || (remote === undefined && isV2Dialled === true);
  return { infoHash: isV2 ? infoHashV2 : infoHash, peerId, features };
}

/** The first 20 bytes are the same. */
export function isSameHash(a: Uint8Array, b: Uint8Array): boolean {
  return sameBytes(a.subarray(0, 20), b.subarray(0, 20));
}
