// What the disk of a torrent tells, passed on to it.

import type { DiskEvents } from '@bt/storage';
import type { TorrentDriver } from './torrent-driver.ts';

export function diskEvents(driver: TorrentDriver): DiskEvents {
  return {
    onPieceSaved: (pieceIndex, result) =>
      driver.actOn((torrent, now) => torrent.handlePieceSaved(now, pieceIndex, result)),
    onBlockRead: (token, bytes, error) =>
      driver.actOn((torrent, now) => torrent.handleBlockRead(now, token, bytes, error)),
    onPieceVerified: (pieceIndex, isRight) =>
      driver.actOn((torrent, now) => torrent.handlePieceVerified(now, pieceIndex, isRight)),
    onBlocksHashed: (pieceIndex, hashes, error) =>
      driver.actOn((torrent, now) => torrent.handleBlocksHashed(now, pieceIndex, hashes, error)),
    onBufferReturned: (buffer) =>
      driver.actOn((torrent, now) => torrent.handleBufferReturned(now, buffer)),
    onStalled: (error) => driver.actOn((torrent, now) => torrent.handleStalled(now, error)),
    onResumed: () => driver.actOn((torrent, now) => torrent.handleResumed(now)),
    onFileChanged: (fileIndex, error) =>
      driver.actOn((torrent, now) => torrent.handleFileChanged(now, fileIndex, error)),
  };
}
