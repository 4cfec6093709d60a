// Reads .torrent files and info dictionaries: BEP 3, 12, 19, 27, 47, 52. Everything is checked before anything is returned,
// and an info-hash is the hash of the bytes as they came.
import type { BencodeDict } from '@bt/bencode';
import { sha1 } from '@noble/hashes/legacy.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { sameBytes } from './bytes.ts';
import { decodeInput } from './decode.ts';
import { MetainfoError } from './errors.ts';
import {
  optionalText,
  requireBytes,
  requireDict,
  requireInteger,
  requireLength,
  requireList,
} from './fields.ts';
import { FILE_PAD, FileTable } from './file-table.ts';
import { BLOCK_LENGTH, Geometry, MAX_PIECE_LENGTH, MAX_PIECES } from './geometry.ts';
import { checkHybrid } from './hybrid.ts';
import type { Info, Metainfo, TorrentVersion } from './metainfo.ts';
import {
  chooseName,
  type FileList,
  readFileList,
  readFileTree,
  readSingleFile,
} from './parse-files.ts';
import { readAnnounceTiers, readNodes, readWebSeeds } from './parse-outer.ts';
import type { PathRules } from './path.ts';
import { readPieceLayers } from './piece-layers.ts';
import { makeNamesSafe } from './safe-names.ts';

/** The largest .torrent that is read: 64 MiB. */
export const MAX_METAINFO_BYTES = 64 * 1024 * 1024;

/** Values in a .torrent; enough for some 400,000 files. */
export const MAX_METAINFO_ITEMS = 3_000_000;

export interface ParseOptions extends PathRules {
  /** Default {@link MAX_METAINFO_BYTES}. */
  readonly maxBytes?: number | undefined;
  /** Integers, strings, lists and dictionaries in all. Default {@link MAX_METAINFO_ITEMS}. */
  readonly maxItems?: number | undefined;
  /** Default {@link MAX_PIECES}. */
  readonly maxPieces?: number | undefined;
  /** Bytes of all files. Default 2^53 - 1; `Infinity` leaves it to {@link Geometry}, which stays exact. */
  readonly maxTotalLength?: number | undefined;
  /** Accepts repeated keys and leading zeros too (see `@bt/bencode`). Default false. */
  readonly lenient?: boolean | undefined;
}

/**
 * Reads a .torrent. Nothing is copied: the result borrows `bytes`, which must not change.
 * Fields of the outer dictionary that only help (trackers, web seeds, nodes, comment) are ignored where they are malformed.
 * @throws MetainfoError and nothing else; `code` says why, `field` where.
 */
export function parseMetainfo(bytes: Uint8Array, options: ParseOptions = {}): Metainfo {
  const outer = decode(bytes, 'metainfo', options);
  const info = readInfo(requireDict(outer, 'info', 'metainfo'), options);
  const comment = optionalText(outer, 'comment.utf-8') ?? optionalText(outer, 'comment');
  const createdBy = optionalText(outer, 'created by');
  const createdAtSeconds = outer.integer('creation date');
  return {
    info,
    announceTiers: readAnnounceTiers(outer),
    webSeeds: readWebSeeds(outer),
    nodes: readNodes(outer),
    ...(comment === undefined ? {} : { comment }),
    ...(createdBy === undefined ? {} : { createdBy }),
    ...(createdAtSeconds === undefined ? {} : { createdAtSeconds }),
    pieceLayers: readPieceLayers(outer, info),
  };
}

/** Reads an info dictionary alone, as peers send it (BEP 9). As {@link parseMetainfo} otherwise. */
export function parseInfo(infoBytes: Uint8Array, options: ParseOptions = {}): Info {
  return readInfo(decode(infoBytes, 'info', options), options);
}

function readInfo(dict: BencodeDict, options: ParseOptions): Info {
  const bytes = dict.raw;
  const base = dict.span.start;
  const isV2 = readVersion(dict);
  const isV1 = !isV2 || dict.has('pieces') || dict.has('files') || dict.has('length');
  const version: TorrentVersion = isV1 ? (isV2 ? 'hybrid' : 'v1') : 'v2';
  const pieceLength = readPieceLength(dict, isV2);
  const rawName = chooseName(dict);

  const v2 = isV2 ? readFileTree(requireDict(dict, 'file tree', 'info'), bytes, base) : undefined;
  const v1 = isV1 ? readV1Files(dict, rawName, bytes, base) : undefined;
  const list = (v1 ?? v2)!;
  const geometry = makeGeometry(list, pieceLength, version, options);
  const rootOffsets =
    v1 !== undefined && v2 !== undefined ? checkHybrid(v1, v2, geometry) : list.rootOffsets;
  const isSingleFile = dict.has('files') ? false : v1 !== undefined || isLone(v2!, rawName);

  const names = { info: bytes, list, rawName, isSingleFile, rules: options };
  const { name, paths, warnings, renamedCount } = makeNamesSafe(names);
  const files = new FileTable({
    lengths: list.lengths,
    flags: list.flags,
    paths,
    rootOffsets,
    info: bytes,
  });
  if (files.contentLength === 0) {
    throw new MetainfoError('no-content', 'info', 'The torrent has no file with content.');
  }

  const infoHashV1 = isV1 ? sha1(bytes) : undefined;
  const infoHashV2 = isV2 ? sha256(bytes) : undefined;
  const source = optionalText(dict, 'source');
  return {
    version,
    bytes,
    infoHash: infoHashV1 ?? infoHashV2!.slice(0, 20),
    ...(infoHashV1 === undefined ? {} : { infoHashV1 }),
    ...(infoHashV2 === undefined ? {} : { infoHashV2 }),
    name,
    isSingleFile,
    pieceLength,
    isPrivate: (dict.bigint('private') ?? 0n) !== 0n,
    ...(source === undefined ? {} : { source }),
    files,
    geometry,
    ...(isV1 ? { pieceHashes: readPieceHashes(dict, geometry) } : {}),
    warnings,
    renamedCount,
  };
}

/** Whether it is v2: `meta version` 2. Without one it is v1. */
function readVersion(dict: BencodeDict): boolean {
  if (!dict.has('meta version') && !dict.has('file tree')) return false;
  const version = requireInteger(dict, 'meta version', 'info', 'unknown-version');
  if (version === 1 || version === 2) return version === 2;
  throw new MetainfoError(
    'unknown-version',
    'info.meta version',
    `The torrent is of version ${version}; versions 1 and 2 are known.`,
  );
}

function readPieceLength(dict: BencodeDict, isV2: boolean): number {
  const length = requireInteger(dict, 'piece length', 'info', 'invalid-piece-length');
  const isValid = isV2
    ? length >= BLOCK_LENGTH && Number.isInteger(Math.log2(length))
    : length >= 1;
  if (isValid && length <= MAX_PIECE_LENGTH) return length;
  throw new MetainfoError(
    'invalid-piece-length',
    'info.piece length',
    isV2
      ? `The piece length ${length} is not a power of two from 16 KiB to 64 GiB.`
      : `The piece length ${length} is not from 1 byte to 64 GiB.`,
  );
}

function readV1Files(
  dict: BencodeDict,
  name: Uint8Array,
  bytes: Uint8Array,
  base: number,
): FileList {
  if (dict.has('files')) return readFileList(requireList(dict, 'files', 'info'), bytes, base);
  requireLength(dict, 'info');
  return readSingleFile(dict, name);
}

function makeGeometry(
  list: FileList,
  pieceLength: number,
  version: TorrentVersion,
  options: ParseOptions,
): Geometry {
  const { maxPieces = MAX_PIECES, maxTotalLength = Number.MAX_SAFE_INTEGER } = options;
  // A sum beyond 2^53 is inexact, but never seems to be below it.
  const total = list.lengths.reduce((sum, length) => sum + length, 0);
  if (total > maxTotalLength) {
    throw new MetainfoError(
      'total-too-large',
      'info',
      `The files have more than ${maxTotalLength} bytes in all.`,
    );
  }
  return new Geometry({
    pieceLength,
    lengths: list.lengths,
    isPad: (file) => (list.flags[file]! & FILE_PAD) !== 0,
    aligned: version === 'v2',
    maxPieces,
  });
}

/** v2: a tree of one file that has the torrent's name stands for that file, without a folder around it. */
function isLone(list: FileList, name: Uint8Array): boolean {
  const path = list.lengths.length === 1 ? list.raw.componentsOf(0) : undefined;
  return path?.length === 1 && sameBytes(path[0]!, name);
}

function readPieceHashes(dict: BencodeDict, geometry: Geometry): Uint8Array {
  const pieces = requireBytes(dict, 'pieces', 'info');
  if (pieces.length % 20 !== 0) {
    throw new MetainfoError(
      'invalid-pieces',
      'info.pieces',
      `The piece hashes have ${pieces.length} bytes, which is not a multiple of 20.`,
    );
  }
  if (pieces.length !== geometry.pieceCount * 20) {
    throw new MetainfoError(
      'piece-count-mismatch',
      'info.pieces',
      `The torrent has ${geometry.pieceCount} pieces, and hashes for ${pieces.length / 20}.`,
    );
  }
  return pieces;
}

function decode(bytes: Uint8Array, name: string, options: ParseOptions): BencodeDict {
  const { maxBytes = MAX_METAINFO_BYTES, maxItems = MAX_METAINFO_ITEMS, lenient = false } = options;
  return decodeInput(bytes, name, { maxBytes, maxItems, lenient });
}
