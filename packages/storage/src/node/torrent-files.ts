/** A torrent's files in one folder, as the workers have to be told of them: paths, lengths, modes and expected hashes. */
import path from 'node:path';
import { expectedPiece, type Info } from '@bt/metainfo';
import { type StorageError, storageError } from '../errors.ts';
import { type SpanList, spansOf } from '../layout.ts';
import type { ExpectedHash, Failure, JobSpans } from './protocol.ts';

interface FilePlace {
  /** Path below the root. */
  readonly relative: string;
  readonly lengthBytes: number;
  readonly isExecutable: boolean;
}

/** Most pieces lie in the files of the pieces before them. */
const MAX_CACHED_PLACES = 256;

export class TorrentFiles {
  readonly info: Info;
  /** Resolved path of the download folder. */
  readonly root: string;
  readonly #pieceLayers: ReadonlyMap<string, Uint8Array>;
  readonly #originals: ReadonlyMap<number, string>;
  readonly #places = new Map<number, FilePlace>();

  /** @param originals paths of files that don't lie under their safe names (`original-names.ts`) */
  constructor(
    info: Info,
    root: string,
    pieceLayers: ReadonlyMap<string, Uint8Array>,
    originals: ReadonlyMap<number, string> = new Map(),
  ) {
    this.info = info;
    this.root = root;
    this.#pieceLayers = pieceLayers;
    this.#originals = originals;
  }

  /** The file lies under its name in the torrent: nobody knows whose it is. */
  isOriginal(fileIndex: number): boolean {
    return this.#originals.has(fileIndex);
  }

  place(fileIndex: number): FilePlace {
    let place = this.#places.get(fileIndex);
    if (place === undefined) {
      const entry = this.info.files.at(fileIndex);
      place = {
        relative: this.#originals.get(fileIndex) ?? path.join(...entry.path),
        lengthBytes: entry.length,
        isExecutable: entry.executable,
      };
      if (this.#places.size >= MAX_CACHED_PLACES) this.#places.clear();
      this.#places.set(fileIndex, place);
    }
    return place;
  }

  fullPath(fileIndex: number): string {
    return path.join(this.root, this.place(fileIndex).relative);
  }

  /** Undefined while the hash is not known: a v2 torrent from a magnet link, whose layers are yet to come from peers. */
  expected(pieceIndex: number): ExpectedHash | undefined {
    const expected = expectedPiece(this.info, this.#pieceLayers, pieceIndex);
    if (expected === undefined) return undefined;
    const { kind, hash } = expected;
    const hex = Buffer.from(hash.buffer, hash.byteOffset, hash.length).toString('hex');
    return { kind, hex, leafCount: expected.kind === 'merkle' ? expected.leafCount : 0 };
  }

  jobSpans({ files, spans }: SpanList): JobSpans {
    const places = files.map((fileIndex) => this.place(fileIndex));
    const job: JobSpans = {
      root: this.root,
      paths: places.map((place) => place.relative),
      lengths: places.map((place) => place.lengthBytes),
      spans,
    };
    if (!places.some((place) => place.isExecutable)) return job;
    return { ...job, executables: places.map((place) => place.isExecutable) };
  }

  pieceSpans(pieceIndex: number): SpanList {
    const { geometry } = this.info;
    return spansOf(geometry, pieceIndex, 0, geometry.pieceSize(pieceIndex));
  }

  /** A failure that a worker tells of, as the error that callers see. `list` is what the job was made of. */
  error(failure: Failure, list: SpanList): StorageError {
    const { code, path: where, errno, syscall } = failure;
    return storageError(code, { path: where, fileIndex: list.files[failure.file], errno, syscall });
  }
}
