// What a web server's answer to a range request means (RFC 9110, sections 14 and 15). Everything in it is a stranger's
// word: only an answer that fits what was asked is read on.

import { MAX_RETRY_AFTER_MS } from '../limits.ts';

/** The head of an answer, redirects followed, as far as it matters. Header values as they were received. */
export interface WebAnswer {
  readonly status: number;
  readonly contentRange: string | undefined;
  readonly contentLength: string | undefined;
  readonly contentEncoding: string | undefined;
  /** `Retry-After`, from now on. */
  readonly retryAfterMs: number | undefined;
}

/** Bytes `start` to `end` (exclusive) of a file of `fileLength`. */
export interface AskedRange {
  readonly start: number;
  readonly end: number;
  readonly fileLength: number;
}

export type Verdict =
  /** The body begins with byte `start` and goes up to `end`, which may be less than was asked for. */
  | { readonly kind: 'range'; readonly end: number }
  /** The body is the whole file. */
  | { readonly kind: 'whole' }
  /** This server doesn't have this file. */
  | { readonly kind: 'no-file'; readonly message: string }
  /** Later, perhaps. */
  | { readonly kind: 'busy'; readonly message: string; readonly retryMs: number | undefined }
  /** Not what any server may answer. */
  | { readonly kind: 'bad'; readonly message: string };

export function judgeAnswer(answer: WebAnswer, asked: AskedRange): Verdict {
  const { status } = answer;
  if (status >= 500 || status === 429 || status === 408) {
    const retryMs = clampRetry(answer.retryAfterMs);
    return { kind: 'busy', message: `HTTP status ${status}`, retryMs };
  }
  if (status !== 200 && status !== 206) {
    return { kind: 'no-file', message: `HTTP status ${status}` };
  }
  if (!isIdentity(answer.contentEncoding)) {
    return { kind: 'no-file', message: 'the server compresses what it was asked not to' };
  }
  return status === 200 ? judgeWhole(answer, asked) : judgePart(answer, asked);
}

function judgeWhole({ contentLength }: WebAnswer, { fileLength }: AskedRange): Verdict {
  if (contentLength !== undefined && contentLength !== String(fileLength)) {
    return { kind: 'no-file', message: 'the file has another length' };
  }
  return { kind: 'whole' };
}

function judgePart({ contentRange }: WebAnswer, asked: AskedRange): Verdict {
  const match = /^bytes (\d{1,16})-(\d{1,16})\/(\d{1,16}|\*)$/.exec(contentRange ?? '');
  if (match === null) {
    return { kind: 'bad', message: 'a partial answer that does not say which part it is' };
  }
  const [, start, last, total] = match;
  if (total !== '*' && Number(total) !== asked.fileLength) {
    return { kind: 'no-file', message: 'the file has another length' };
  }
  const end = Number(last) + 1;
  if (Number(start) !== asked.start || end <= asked.start || end > asked.end) {
    return { kind: 'bad', message: 'another range than was asked for' };
  }
  return { kind: 'range', end };
}

function isIdentity(encoding: string | undefined): boolean {
  return encoding === undefined || /^\s*(identity)?\s*$/i.test(encoding);
}

function clampRetry(retryAfterMs: number | undefined): number | undefined {
  if (retryAfterMs === undefined || !(retryAfterMs >= 0)) return undefined;
  return Math.min(retryAfterMs, MAX_RETRY_AFTER_MS);
}
