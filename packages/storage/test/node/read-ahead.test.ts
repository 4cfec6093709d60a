import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { DiskFailure } from '../../src/node/open-files.ts';
import { ReadAhead, type ReadSource } from '../../src/node/read-ahead.ts';
import { noise } from '../torrent.ts';
import { place } from './store-bench.ts';

const KIB = 1024;

interface Answer {
  readonly token: number;
  readonly bytes: Uint8Array | undefined;
  readonly code: string | undefined;
  readonly fileIndex: number;
}

/** A torrent of pieces of 1 MiB in one file, read by hand. */
function setUp(maxOpenFiles = 3): {
  readonly readAhead: ReadAhead;
  readonly source: ReadSource;
  readonly content: Uint8Array;
  readonly answers: Answer[];
  readonly file: string;
  onCheck: () => void;
  next(): Promise<Answer>;
} {
  const { folder } = place();
  const content = noise(3 * KIB * KIB, 1);
  const file = path.join(folder, 'file');
  fs.writeFileSync(file, content);
  const answers: Answer[] = [];
  let wake = (): void => {};
  const setup = { onCheck: (): void => {} };
  const source: ReadSource = {
    root: fs.realpathSync(folder),
    readableSize: () => KIB * KIB,
    fileSpans: (pieceIndex, offset, length, visit) => {
      visit(0, pieceIndex * KIB * KIB + offset, length);
    },
    pathOf: () => 'file',
    checkStat: () => setup.onCheck(),
    onRead: (token, bytes, failure: DiskFailure | undefined, fileIndex) => {
      answers.push({ token, bytes, code: failure?.code, fileIndex });
      wake();
    },
  };
  return Object.assign(setup, {
    ...{ readAhead: new ReadAhead({ maxOpenFiles }), source, content, answers, file },
    next: async (): Promise<Answer> => {
      while (answers.length === 0) await new Promise<void>((resolve) => (wake = resolve));
      return answers.shift()!;
    },
  });
}

describe('reading ahead', () => {
  it('takes one read for a chunk, and one for a range across chunks', async () => {
    const { readAhead, source, content, next } = setUp();
    let checks = 0;
    const counting = { ...source, checkStat: () => checks++ };
    expect(readAhead.read(counting, 1, 0, 16 * KIB, 1)).toBeUndefined();
    expect(readAhead.read(counting, 1, 16 * KIB, 16 * KIB, 2)).toBeUndefined();
    await next();
    await next();
    expect(checks).toBe(1);
    expect(readAhead.cachedBytes).toBe(256 * KIB);
    expect(readAhead.read(counting, 1, 250 * KIB, 16 * KIB, 3)).toBeUndefined();
    const { bytes } = await next();
    const start = (KIB + 250) * KIB;
    expect(Buffer.compare(bytes!, content.subarray(start, start + 16 * KIB))).toBe(0);
    expect([checks, readAhead.cachedBytes]).toEqual([2, 256 * KIB]);
    readAhead.close();
  });

  it.each<[string, 'forget' | 'invalidate']>([
    ['its torrent is forgotten', 'forget'],
    ['its piece is written', 'invalidate'],
  ])('brings nothing when %s meanwhile', async (_, how) => {
    const setup = setUp();
    const { readAhead, source, next } = setup;
    setup.onCheck = () => {
      if (how === 'forget') readAhead.forget(source);
      else readAhead.invalidate(source, 0);
    };
    // Three are read at a time; the others wait.
    for (let at = 0; at < 5; at++) readAhead.read(source, 0, at * 100 * KIB, 60 * KIB, at);
    for (let at = 0; at < 5; at++) {
      expect(await next()).toMatchObject({ bytes: undefined, code: 'changed', fileIndex: -1 });
    }
    expect(readAhead.cachedBytes).toBe(0);
    setup.onCheck = () => {};
    readAhead.read(source, 0, 0, 16 * KIB, 3);
    expect((await next()).code).toBeUndefined();
    readAhead.close();
  });

  it('goes on after a failure', async () => {
    const { readAhead, source, file, next } = setUp();
    fs.renameSync(file, `${file}.away`);
    readAhead.read(source, 0, 0, 16 * KIB, 1);
    expect(await next()).toMatchObject({ token: 1, code: 'missing', fileIndex: 0 });
    fs.renameSync(`${file}.away`, file);
    readAhead.read(source, 0, 0, 16 * KIB, 2);
    expect(await next()).toMatchObject({ token: 2, code: undefined });
    fs.truncateSync(file, 300 * KIB);
    readAhead.read(source, 0, 256 * KIB, 16 * KIB, 3);
    expect(await next()).toMatchObject({ code: 'truncated', fileIndex: 0 });
    readAhead.close();
  });

  it('refuses what leads out of the root', async () => {
    const { readAhead, source, file, next } = setUp();
    fs.symlinkSync('/etc', `${file}-link`);
    for (const name of ['file-link/hostname', 'file-link']) {
      readAhead.read({ ...source, pathOf: () => name }, 0, 0, 1, 1);
      expect((await next()).code).toBe('symlink');
    }
    readAhead.close();
  });
});
