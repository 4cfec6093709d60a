/**
 * Torrent sessions on real sockets and files.
 *
 * @module
 */
export type { AddTorrentOptions } from './add-torrent-options.ts';
export type { StreamOptions } from './file-streams.ts';
export type { PortMapping } from './port-mapping/port-mapper.ts';
export { openSession, Session, type SessionOptions } from './session.ts';
export { TorrentHandle } from './torrent-handle.ts';
export { filesOfLink } from './torrent-source.ts';
