/**
 * Torrent sessions on real sockets and files.
 *
 * @module
 */
export type { StreamOptions } from './file-streams.ts';
export { openSession, Session, type SessionOptions } from './session.ts';
export { type AddTorrentOptions, TorrentHandle } from './torrent-handle.ts';
