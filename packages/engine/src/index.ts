/**
 * BitTorrent session: the swarm of one torrent as a machine without I/O. Sockets and files stand in `@bt/engine/node`.
 *
 * @module
 */
export { clientName, makePeerId } from './client-name.ts';
export { EngineError, type EngineErrorCode } from './errors.ts';
export type { BanReason, TorrentEvent, TorrentState, TorrentStats } from './events.ts';
export { MagnetTorrent, type MagnetTorrentOptions } from './magnet-torrent.ts';
export type { CloseReason, Direction, Peer, PeerTransport } from './peer.ts';
export { RateLimit } from './rate-limit.ts';
export type { Reader } from './readers.ts';
export { defaultStrategies, plainStrategies, type Strategies } from './strategies.ts';
export type { PeerSource, SourceCount, SourceCounts } from './swarm/peer-source.ts';
export type { NewPeer } from './swarm/swarm.ts';
export { Torrent } from './torrent.ts';
export type { TorrentEffect, TorrentOptions } from './torrent-options.ts';
export type { WebAnswer } from './web-seed/answer.ts';
export type { WebFetchEffect, WebFetchFailure } from './web-seed/web-fetch.ts';
