// Whether a run has anybody to ask for peers, or can but wait for peers to come.
import { isLoopback } from '@bt/endpoint';
import type { Magnet, Metainfo } from '@bt/metainfo';
import type { Options } from './options.ts';

/** @param hasDht the run has a DHT node */
export function hasPeerSource(
  torrent: Metainfo | Magnet,
  options: Pick<Options, 'peers' | 'trackers' | 'localDiscovery' | 'webSeeds' | 'bindAddress'>,
  hasDht: boolean,
): boolean {
  const isTorrent = 'info' in torrent;
  const trackers = isTorrent ? torrent.announceTiers : torrent.trackers;
  const peers = isTorrent ? options.peers : [...options.peers, ...torrent.peers];
  const isPrivate = isTorrent && torrent.info.isPrivate;
  const isOnLoopback = options.bindAddress !== undefined && isLoopback(options.bindAddress);
  return (
    peers.length > 0 ||
    (options.trackers && trackers.length > 0) ||
    (options.webSeeds && torrent.webSeeds.length > 0) ||
    (!isPrivate && (hasDht || (options.localDiscovery && !isOnLoopback)))
  );
}
