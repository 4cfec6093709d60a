// Whether a run has anybody to ask for peers, or can but wait for peers to come.
import { isLoopback } from '@bt/endpoint';
import type { TorrentState } from '@bt/engine';
import type { DhtNode } from '@bt/krpc-dht/node';
import type { Magnet, Metainfo } from '@bt/metainfo';
import type { Absence } from './failures.ts';
import type { Options } from './options.ts';

/** @param hasDht the run has a DHT node */
export function hasPeerSource(
  torrent: Metainfo | Magnet,
  options: Pick<
    Options,
    'peers' | 'trackers' | 'localDiscovery' | 'webSeeds' | 'bindAddress' | 'bootstrap'
  >,
  hasDht: boolean,
): boolean {
  const isTorrent = 'info' in torrent;
  const trackers = isTorrent ? torrent.announceTiers : torrent.trackers;
  const peers = isTorrent ? options.peers : [...options.peers, ...torrent.peers];
  const isPrivate = isTorrent && torrent.info.isPrivate;
  const isOnLoopback = options.bindAddress !== undefined && isLoopback(options.bindAddress);
  const hasNodes = hasDht && hasEntries(options);
  return (
    peers.length > 0 ||
    (options.trackers && trackers.length > 0) ||
    // A web server has files: with a link alone there is nothing yet to ask it for.
    (isTorrent && options.webSeeds && torrent.webSeeds.length > 0) ||
    (!isPrivate && (hasNodes || (options.localDiscovery && !isOnLoopback)))
  );
}

/** Whether a DHT node has anybody to enter the network by: on loopback those that are named alone. */
export function hasEntries({
  bindAddress,
  bootstrap,
}: Pick<Options, 'bindAddress' | 'bootstrap'>): boolean {
  return bootstrap !== undefined || bindAddress === undefined || !isLoopback(bindAddress);
}

/** Not one node of the DHT has ever answered ours. */
export function isDhtSilent(node: DhtNode | undefined): boolean {
  return node !== undefined && node.statistics().answersIn === 0;
}

/** Why nobody may have been found, as far as that can be told. */
export function whyNobody(
  torrent: Metainfo | Magnet,
  node: DhtNode | undefined,
  state: TorrentState,
): Absence {
  const isWebAlone = state === 'fetching-metadata' && torrent.webSeeds.length > 0;
  return { isDhtSilent: isDhtSilent(node), isWebAlone };
}
