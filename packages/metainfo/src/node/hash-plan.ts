// Cuts the files of a torrent into jobs for the hash workers: each a few MiB, on piece boundaries.
import type { HashJob, HashSpan } from './hash-job.ts';

/** A file of the torrent in its order; padding has no `diskPath`. */
export interface HashedFile {
  readonly diskPath?: string | undefined;
  readonly lengthBytes: number;
  readonly modifiedMs?: number | undefined;
}

export interface HashPlan {
  readonly files: Iterable<HashedFile>;
  readonly pieceLength: number;
  /** v1 hashes are wanted: pieces run across files, and padding counts. */
  readonly sha1: boolean;
  /** v2 hashes are wanted: each file begins on a piece boundary, by padding or (without `sha1`) by itself. */
  readonly merkle: boolean;
  readonly isTolerant?: boolean;
}

/** Large enough that handing out jobs costs nothing, small enough that all workers end at nearly the same time. */
const JOB_LENGTH = 8 * 1024 * 1024;
/** Bounds the message of a job with small files. */
const MAX_SPANS = 1024;

/** The jobs, made as they are taken: a plan of a million files is never there at once. */
export function* planHashJobs(plan: HashPlan): Generator<HashJob, void, undefined> {
  const { pieceLength, sha1, merkle, isTolerant = false } = plan;
  const capacity = Math.max(1, Math.floor(JOB_LENGTH / pieceLength)) * pieceLength;
  let firstPiece = 0;
  let filled = 0; // bytes of the job's pieces that have a span
  let spans: HashSpan[] = [];

  const takeJob = (): HashJob => {
    const job: HashJob = { firstPiece, pieceLength, sha1, merkle, isTolerant, spans };
    firstPiece += Math.ceil(filled / pieceLength);
    filled = 0;
    spans = [];
    return job;
  };

  for (const { diskPath, lengthBytes: fileLength, modifiedMs } of plan.files) {
    if (diskPath === undefined && !sha1) continue; // padding exists for v1 alone
    let offset = 0;
    do {
      const lengthBytes = Math.min(fileLength - offset, capacity - filled);
      // An empty file too: it must still be there, and empty.
      spans.push({ diskPath, fileLength, modifiedMs, offset, lengthBytes });
      offset += lengthBytes;
      filled += lengthBytes;
      const isFileDone = offset === fileLength;
      if (isFileDone && merkle && !sha1) filled = Math.ceil(filled / pieceLength) * pieceLength;
      const isFull = spans.length >= MAX_SPANS && filled % pieceLength === 0;
      if (filled === capacity || isFull) yield takeJob();
    } while (offset < fileLength);
  }
  if (spans.length > 0) yield takeJob();
}
