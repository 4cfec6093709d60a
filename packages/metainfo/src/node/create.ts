// Makes a .torrent from a file or a folder: lists the files, hashes them in worker threads, writes the metainfo.
// BEP 3 (v1), BEP 52 (v2 and hybrid), BEP 47 (pad files and attributes).
import { createHash } from 'node:crypto';
import {
  type BuildFile,
  buildInfo,
  buildMetainfo,
  MAX_BUILT_DEPTH,
  nameBytes,
  pieceLengthFor,
  planFiles,
} from '../build.ts';
import { MetainfoError } from '../errors.ts';
import { FILE_PAD } from '../file-table.ts';
import { BLOCK_LENGTH, MAX_PIECE_LENGTH, MAX_PIECES } from '../geometry.ts';
import { toHex } from '../hex.ts';
import type { TorrentVersion } from '../metainfo.ts';
import type { PathWarning } from '../path.ts';
import { makeNamesSafe, type SafeNames } from '../safe-names.ts';
import { FileError } from './errors.ts';
import type { HashResult } from './hash-job.ts';
import { type HashedFile, planHashJobs } from './hash-plan.ts';
import { type HashPool, needsWorkers, openPool } from './hash-pool.ts';
import { piecesRootOf } from './merkle.ts';
import { type FileListing, type FoundFile, listFiles, type SkippedFile } from './walk.ts';

export interface CreateOptions {
  /** The file or folder to share. Symbolic links are followed. */
  readonly input: string;
  /** Name of the file or folder that a downloader gets. Default: that of `input`. */
  readonly name?: string | undefined;
  /** Bytes: a multiple of 16 KiB; for v2 and hybrid a power of two. Default: by {@link pieceLengthFor}. */
  readonly pieceLength?: number | undefined;
  /** Default `v1`. */
  readonly version?: TorrentVersion | undefined;
  /** BEP 12: tiers of tracker addresses. */
  readonly announceTiers?: readonly (readonly string[])[] | undefined;
  /** BEP 19. */
  readonly webSeeds?: readonly string[] | undefined;
  readonly comment?: string | undefined;
  readonly createdBy?: string | undefined;
  /** Seconds since 1970; absent: no creation date is written. */
  readonly createdAtSeconds?: number | undefined;
  /** BEP 27: peers come from the trackers only. */
  readonly isPrivate?: boolean | undefined;
  /** Part of the info dictionary, so that the same files have another info-hash. */
  readonly source?: string | undefined;
  /** Any bytes, for the same purpose. */
  readonly entropy?: Uint8Array | undefined;
  /** Whether to leave out a file, or a folder with all it holds, given by its components below `input`. */
  readonly isExcluded?: ((path: readonly string[]) => boolean) | undefined;
  /** Threads that hash; default: one for each processor. */
  readonly threads?: number | undefined;
  /**
   * Lets the calling thread be one of them, busy for some milliseconds at a time. Starts sooner and takes less memory: for
   * programs that do nothing else meanwhile.
   */
  readonly isCallerBusy?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called about ten times a second, and once when all is hashed. */
  readonly onProgress?: ((progress: CreateProgress) => void) | undefined;
}

export interface CreateProgress {
  readonly stage: 'listing' | 'hashing';
  readonly fileCount: number;
  /** While listing: of the files found so far. */
  readonly totalLength: number;
  readonly bytesHashed: number;
}

export interface CreatedTorrent {
  /** The .torrent. */
  readonly bytes: Uint8Array;
  /** The bencoded info dictionary in it. */
  readonly infoBytes: Uint8Array;
  /** 20 bytes; v1 and hybrid. */
  readonly infoHashV1?: Uint8Array;
  /** 32 bytes; v2 and hybrid. */
  readonly infoHashV2?: Uint8Array;
  readonly name: string;
  readonly version: TorrentVersion;
  readonly fileCount: number;
  /** Bytes of all files, without padding. */
  readonly totalLength: number;
  readonly pieceLength: number;
  readonly pieceCount: number;
  /** What could not be put into a torrent, such as sockets. */
  readonly skipped: readonly SkippedFile[];
  /**
   * Names that are not safe on every system: whoever downloads the torrent gets others. As `Info.warnings`, and with those that
   * Windows alone can't store.
   */
  readonly warnings: readonly PathWarning[];
  /** As `Info.renamedCount`. */
  readonly renamedCount: number;
}

/**
 * Makes a torrent of `input`.
 *
 * v1 info dictionaries are byte for byte those of Debian's mktorrent 1.1, v2 and hybrid ones those of libtorrent 2.0.8 (for
 * trees without symbolic links). `attr=x` (BEP 47) is written for executables in v2 and hybrid torrents, as libtorrent does.
 *
 * @throws FileError for files that are missing, unreadable or change meanwhile; MetainfoError for options that make no
 *   torrent; the signal's reason when aborted.
 */
export async function createTorrent(options: CreateOptions): Promise<CreatedTorrent> {
  checkOptions(options);
  let pool: HashPool | undefined;
  try {
    const listing = await listFiles(options.input, {
      isExcluded: options.isExcluded,
      signal: options.signal,
      onFound: (fileCount, totalLength) => {
        // Workers start while the rest is still being listed.
        if (needsWorkers(totalLength)) pool ??= openPool(totalLength, options);
        options.onProgress?.({ stage: 'listing', fileCount, totalLength, bytesHashed: 0 });
      },
    });
    pool ??= openPool(listing.totalLength, options);
    return await createFrom(listing, options, pool);
  } finally {
    await pool?.close();
  }
}

async function createFrom(
  listing: FileListing,
  options: CreateOptions,
  pool: HashPool,
): Promise<CreatedTorrent> {
  const { onProgress, version = 'v1' } = options;
  const { totalLength } = listing;
  if (totalLength === 0) {
    const what = listing.isSingleFile ? 'the file is empty' : 'there is no file with content';
    throw new FileError('no-content', options.input, `${options.input} can't be shared: ${what}.`);
  }
  const name = options.name ?? listing.rootName;
  if (name === '') {
    throw new MetainfoError('invalid-argument', 'name', `${options.input} has no name: give one.`);
  }
  const pieceLength = options.pieceLength ?? pieceLengthFor(totalLength);
  const deep = listing.files.find((file) => file.path.length > MAX_BUILT_DEPTH);
  if (deep !== undefined) {
    const message = `${deep.diskPath} lies more than ${MAX_BUILT_DEPTH} folders deep, too deep for a torrent.`;
    throw new MetainfoError('limit-exceeded', 'input', message);
  }
  const found = describe(listing, name, version);
  const files = planFiles({ version, pieceLength, files: [...found.keys()] });
  const { warnings, renamedCount } = safeNames(files, found, name, listing.isSingleFile);
  const hashes = new TorrentHashes(files, version, pieceLength);

  const report = () => {
    const { bytesHashed } = pool;
    onProgress?.({ stage: 'hashing', fileCount: found.size, totalLength, bytesHashed });
  };
  const timer = onProgress === undefined ? undefined : setInterval(report, 100);
  try {
    const jobs = planHashJobs({
      files: sources(files, found),
      pieceLength,
      sha1: version !== 'v2',
      merkle: version !== 'v1',
    });
    await pool.run(jobs, (job, result) => hashes.add(job.firstPiece, result));
    report();
  } finally {
    clearInterval(timer);
  }
  const closed = pool.close(); // the threads end while the rest is written

  const infoBytes = buildInfo({
    version,
    name,
    pieceLength,
    isSingleFile: listing.isSingleFile,
    files: hashes.filesWithRoots(),
    pieces: hashes.pieces,
    isPrivate: options.isPrivate,
    source: options.source,
    entropy: options.entropy,
  });
  const bytes = buildMetainfo({
    info: infoBytes,
    announceTiers: options.announceTiers,
    webSeeds: options.webSeeds,
    comment: options.comment,
    createdBy: options.createdBy,
    createdAtSeconds: options.createdAtSeconds,
    pieceLayers: hashes.pieceLayers,
  });
  await closed;
  return {
    bytes,
    infoBytes,
    ...(version === 'v2' ? {} : { infoHashV1: digest('sha1', infoBytes) }),
    ...(version === 'v1' ? {} : { infoHashV2: digest('sha256', infoBytes) }),
    name,
    version,
    fileCount: found.size,
    totalLength,
    pieceLength,
    pieceCount: hashes.pieceCount,
    skipped: listing.skipped,
    warnings,
    renamedCount,
  };
}

function checkOptions({ version = 'v1', pieceLength, name }: CreateOptions): void {
  if (pieceLength !== undefined) {
    const isMultiple = Number.isSafeInteger(pieceLength / BLOCK_LENGTH) && pieceLength > 0;
    const isPower = Number.isInteger(Math.log2(pieceLength));
    if (!isMultiple || pieceLength > MAX_PIECE_LENGTH || (version !== 'v1' && !isPower)) {
      const rule = version === 'v1' ? 'a multiple of 16 KiB' : 'a power of two of at least 16 KiB';
      const message = `A piece length of ${pieceLength} bytes is not possible: it has to be ${rule}, at most 64 GiB.`;
      throw new MetainfoError('invalid-argument', 'pieceLength', message);
    }
  }
  if (name !== undefined && (/[/\0]/.test(name) || name === '.' || name === '..' || name === '')) {
    const message = `'${name}' is not possible as the name of a file or folder.`;
    throw new MetainfoError('invalid-argument', 'name', message);
  }
}

/** The files as they stand in the torrent, each with where it is on disk. */
function describe(
  { files, isSingleFile }: FileListing,
  name: string,
  version: TorrentVersion,
): Map<BuildFile, FoundFile> {
  return new Map(
    files.map((file) => [
      {
        path: isSingleFile ? [name] : file.path,
        length: file.lengthBytes,
        executable: version !== 'v1' && file.isExecutable, // mktorrent's info dictionary has no attributes
      },
      file,
    ]),
  );
}

/** What reading the torrent back will say of its names. @throws FileError for one that no reader takes. */
function safeNames(
  files: readonly BuildFile[],
  found: ReadonlyMap<BuildFile, FoundFile>,
  name: string,
  isSingleFile: boolean,
): Pick<SafeNames, 'warnings' | 'renamedCount'> {
  const list = {
    lengths: Float64Array.from(files, (file) => file.length),
    flags: Uint8Array.from(files, (file) => (file.isPad ? FILE_PAD : 0)),
    raw: { componentsOf: (index: number) => files[index]?.path.map(nameBytes) },
    symlinkOffsets: new Map(),
  };
  const info = new Uint8Array(0);
  const rules = { windowsNames: true };
  try {
    return makeNamesSafe({ info, list, rawName: nameBytes(name), isSingleFile, rules });
  } catch (error) {
    if (!(error instanceof MetainfoError) || error.code !== 'unsafe-path') throw error;
    const file = files[Number(/^info\.files\[(\d+)\]/.exec(error.field)?.[1])];
    const diskPath = file && found.get(file)?.diskPath;
    if (diskPath === undefined) throw error;
    const message = `${diskPath}: no program takes this name from a torrent, since it could lead out of the folder; rename or exclude it.`;
    throw new FileError('invalid-name', diskPath, message, error);
  }
}

function* sources(
  files: readonly BuildFile[],
  found: ReadonlyMap<BuildFile, FoundFile>,
): Generator<HashedFile> {
  for (const file of files) {
    const { diskPath, modifiedMs } = found.get(file) ?? {};
    yield { diskPath, lengthBytes: file.length, modifiedMs };
  }
}

/** Collects what the jobs bring, in the places where the torrent has it. */
class TorrentHashes {
  readonly pieceCount: number;
  /** 20 bytes each; v1 and hybrid. */
  readonly pieces: Buffer | undefined;
  /** v2 and hybrid: by pieces root in hex, of files longer than a piece. */
  readonly pieceLayers: Map<string, Uint8Array> | undefined;
  readonly #files: readonly BuildFile[];
  readonly #pieceLength: number;
  /** The piece layers of all files one behind the other, 32 bytes each. */
  readonly #layers: Buffer | undefined;

  constructor(files: readonly BuildFile[], version: TorrentVersion, pieceLength: number) {
    this.#files = files;
    this.#pieceLength = pieceLength;
    const piecesIn = (length: number) => Math.ceil(length / pieceLength);
    this.pieceCount =
      version === 'v2'
        ? files.reduce((sum, file) => sum + piecesIn(file.length), 0)
        : piecesIn(files.reduce((sum, file) => sum + file.length, 0));
    if (this.pieceCount > MAX_PIECES) {
      const message = `A piece length of ${pieceLength} bytes makes ${this.pieceCount} pieces, more than ${MAX_PIECES}: take a longer one.`;
      throw new MetainfoError('limit-exceeded', 'pieceLength', message);
    }
    if (version !== 'v2') this.pieces = Buffer.alloc(this.pieceCount * 20);
    if (version !== 'v1') {
      this.#layers = Buffer.alloc(this.pieceCount * 32);
      this.pieceLayers = new Map();
    }
  }

  add(firstPiece: number, { sha1, merkle }: HashResult): void {
    this.pieces?.set(sha1, firstPiece * 20);
    this.#layers?.set(merkle, firstPiece * 32);
  }

  /** The files for the info dictionary, once all jobs are done; fills in {@link pieceLayers} on the way. */
  filesWithRoots(): readonly BuildFile[] {
    const layers = this.#layers;
    if (layers === undefined) return this.#files;
    let nextPiece = 0;
    return this.#files.map((file) => {
      if (file.isPad || file.length === 0) return file;
      const first = nextPiece;
      nextPiece += Math.ceil(file.length / this.#pieceLength);
      const layer = layers.subarray(first * 32, nextPiece * 32);
      const piecesRoot = piecesRootOf(layer, this.#pieceLength);
      if (nextPiece - first > 1) this.pieceLayers?.set(toHex(piecesRoot), layer);
      return { ...file, piecesRoot };
    });
  }
}

function digest(algorithm: 'sha1' | 'sha256', bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(createHash(algorithm).update(bytes).digest());
}
