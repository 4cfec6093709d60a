import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_RETRY_AFTER_MS } from '../../src/limits.ts';
import { judgeAnswer, type WebAnswer } from '../../src/web-seed/answer.ts';

const asked = { start: 100, end: 300, fileLength: 1000 };
const answer = (fields: Partial<WebAnswer>): WebAnswer => ({
  status: 206,
  contentRange: 'bytes 100-299/1000',
  contentLength: undefined,
  contentEncoding: undefined,
  retryAfterMs: undefined,
  ...fields,
});
const kindOf = (fields: Partial<WebAnswer>) => judgeAnswer(answer(fields), asked).kind;

describe('an answer to a range request', () => {
  it('is the range, or its beginning', () => {
    expect(judgeAnswer(answer({}), asked)).toEqual({ kind: 'range', end: 300 });
    const short = answer({ contentRange: 'bytes 100-149/*' });
    expect(judgeAnswer(short, asked)).toEqual({ kind: 'range', end: 150 });
  });

  it.each([
    undefined,
    '',
    'bytes 100-299',
    'bytes 0-299/1000',
    'bytes 101-299/1000',
    'bytes 100-300/1000',
    'bytes 100-99/1000',
    'bytes */1000',
    'bytes 100-299/1000, bytes 0-1/1000',
    'pages 100-299/1000',
    'bytes 99999999999999999999-299/1000',
  ])('is bad with a range of %s', (contentRange) => {
    expect(kindOf({ contentRange })).toBe('bad');
  });

  it('is of no use for a file of another length, or compressed', () => {
    expect(kindOf({ contentRange: 'bytes 100-299/999' })).toBe('no-file');
    expect(kindOf({ status: 200, contentLength: '999' })).toBe('no-file');
    expect(kindOf({ contentEncoding: 'gzip' })).toBe('no-file');
    expect(kindOf({ status: 200, contentEncoding: 'br' })).toBe('no-file');
    expect(kindOf({ contentEncoding: 'Identity' })).toBe('range');
  });

  it('may be the whole file', () => {
    expect(kindOf({ status: 200 })).toBe('whole');
    expect(kindOf({ status: 200, contentLength: '1000' })).toBe('whole');
  });

  it.each([204, 301, 304, 400, 401, 403, 404, 410, 416, 451])(
    'of status %i means that the file is not there',
    (status) => {
      expect(kindOf({ status })).toBe('no-file');
    },
  );

  it.each([408, 429, 500, 502, 503, 504])('of status %i means later, as it says', (status) => {
    const verdict = (retryAfterMs: number | undefined) =>
      judgeAnswer(answer({ status, retryAfterMs }), asked);
    expect(verdict(undefined)).toMatchObject({ kind: 'busy', retryMs: undefined });
    expect(verdict(5_000)).toMatchObject({ kind: 'busy', retryMs: 5_000 });
    expect(verdict(1e15)).toMatchObject({ kind: 'busy', retryMs: MAX_RETRY_AFTER_MS });
    expect(verdict(-5)).toMatchObject({ kind: 'busy', retryMs: undefined });
    expect(verdict(Number.NaN)).toMatchObject({ kind: 'busy', retryMs: undefined });
  });

  it('is never taken for more than was asked, whatever it says', () => {
    const text = fc.option(
      fc.oneof(fc.string(), fc.stringMatching(/^bytes [0-9]{1,4}-[0-9]{1,4}\/([0-9]{4}|\*)$/)),
      { nil: undefined },
    );
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 599 }), text, text, text, (status, a, b, c) => {
        const verdict = judgeAnswer(
          answer({ status, contentRange: a, contentLength: b, contentEncoding: c }),
          asked,
        );
        if (verdict.kind !== 'range') return;
        expect(status).toBe(206);
        expect(verdict.end).toBeGreaterThan(asked.start);
        expect(verdict.end).toBeLessThanOrEqual(asked.end);
      }),
    );
  });
});
