// The numbers of a torrent, put together from its parts.

import type { Info } from '@bt/metainfo';
import type { Picker } from '@bt/picker';
import type { PieceBuffers } from '@bt/storage';
import type { Download } from './download.ts';
import type { TorrentState, TorrentStats } from './events.ts';
import type { Holdings } from './holdings.ts';
import type { Presence } from './presence.ts';
import { countSources } from './swarm/peer-source.ts';
import type { PieceExchange } from './swarm/piece-exchange.ts';
import type { Upload } from './upload.ts';
import type { WebSeeds } from './web-seed/web-seeds.ts';

/** Whole seconds that rates are told of, beside the one that runs: people see whether something comes, and how much. */
const RATE_SECONDS = 4;

export interface StatsParts {
  readonly info: Info;
  readonly holdings: Holdings;
  readonly picker: Picker;
  readonly buffers: PieceBuffers;
  readonly presence: Presence;
  readonly download: Download;
  readonly upload: Upload;
  readonly exchange: PieceExchange;
  readonly webSeeds: WebSeeds;
}

export interface StatsMoment {
  readonly now: number;
  readonly state: TorrentState;
  readonly startedMs: number;
  /** When the download ended. */
  readonly doneMs: number | undefined;
}

export function torrentStats(parts: StatsParts, moment: StatsMoment): TorrentStats {
  const { info, holdings, picker, buffers, presence } = parts;
  const { exchange, download, upload, webSeeds } = parts;
  const { geometry, files } = info;
  const { now, state, startedMs, doneMs } = moment;
  const downloadedBytes = download.meter.totalBytes;
  const uploadedBytes = upload.meter.totalBytes;
  let seedsConnected = 0;
  for (const peer of presence.peers) if (picker.isSeed(peer.handle)) seedsConnected += 1;
  const lastUsefulMs = Math.max(exchange.prospects.lastUsefulMs, webSeeds.lastUseful(now));
  return {
    state,
    totalBytes: files.contentLength,
    wantedBytes: holdings.wantedBytes,
    verifiedBytes: holdings.verifiedBytes,
    pieceCount: geometry.pieceCount,
    piecesHave: holdings.count,
    piecesInFlight: buffers.pieceCount + download.savingCount,
    downloadedBytes,
    uploadedBytes,
    duplicateBytes: download.duplicateBytes,
    rejectedBytes: download.rejectedBytes,
    downRate: download.meter.recentRate(now, RATE_SECONDS),
    upRate: upload.meter.recentRate(now, RATE_SECONDS),
    ratio: uploadedBytes / Math.max(1, downloadedBytes || files.contentLength),
    ...presence.counts(),
    seedsConnected,
    // Its owner knows.
    dhtNodes: undefined,
    webSeedsServing: webSeeds.servingCount,
    webSeedBytes: webSeeds.downloadedBytes,
    metadataShare: 1,
    checkedShare: 1,
    runningMs: now - startedMs,
    downloadingMs: (doneMs ?? now) - startedMs,
    uselessMs: exchange.isDone ? 0 : now - lastUsefulMs,
  };
}

/** Of a torrent of which nothing has come yet; without `info` only a magnet link is known. */
export function emptyStats(info: Info | undefined): TorrentStats {
  const { contentLength = 0 } = info?.files ?? {};
  const { pieceCount = 0 } = info?.geometry ?? {};
  return {
    state: info === undefined ? 'fetching-metadata' : 'checking',
    totalBytes: contentLength,
    wantedBytes: contentLength,
    verifiedBytes: 0,
    pieceCount,
    piecesHave: 0,
    piecesInFlight: 0,
    downloadedBytes: 0,
    uploadedBytes: 0,
    duplicateBytes: 0,
    rejectedBytes: 0,
    downRate: 0,
    upRate: 0,
    ratio: 0,
    peersConnected: 0,
    seedsConnected: 0,
    peersKnown: 0,
    peerSources: countSources([], []),
    dhtNodes: undefined,
    exchangesIgnored: 0,
    webSeedsServing: 0,
    webSeedBytes: 0,
    metadataShare: info === undefined ? 0 : 1,
    checkedShare: 0,
    runningMs: 0,
    downloadingMs: 0,
    uselessMs: 0,
  };
}
