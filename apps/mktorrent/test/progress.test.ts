import { describe, expect, it } from 'vitest';
import { Progress } from '../src/progress.ts';

function recorded(isTTY: boolean, isEager = false) {
  const written: string[] = [];
  let now = 0;
  const output = {
    write: (chunk: string | Uint8Array) => written.push(`${chunk}`),
    isTTY,
    columns: 60,
  };
  const progress = new Progress(output, 'Hashed', () => now, isEager);
  return {
    written,
    progress,
    at: (ms: number) => {
      now = ms;
    },
  };
}

describe('Progress on a terminal', () => {
  it('rewrites one line with share, rate and time left, and takes it away at the end', () => {
    const { written, progress, at } = recorded(true);
    progress.bytes(0, 4 * 2 ** 30);
    at(1000);
    progress.bytes(2 ** 30, 4 * 2 ** 30);
    progress.end();
    expect(written).toEqual([
      '\rHashed 0.0% of 4 GiB',
      '\rHashed 25.0% of 4 GiB, 1 GiB/s, 0:03 left',
      `\r${' '.repeat(41)}\r`,
    ]);
    progress.end();
    expect(written.length).toBe(3);
  });

  it('blanks what a shorter line leaves, and cuts a line that is too long', () => {
    const { written, progress } = recorded(true);
    progress.files(123_456_789, 2 ** 40);
    progress.files(1, 1);
    expect(written[1]).toBe('\rFound 1 file, 1 byte'.padEnd((written[0] as string).length));
    const at = (columns: number) => {
      const write = (chunk: string | Uint8Array) => written.push(`${chunk}`);
      new Progress({ write, isTTY: true, columns }, 'Hashed', () => 0).files(123_456_789, 1);
      return written.at(-1);
    };
    expect(at(10)).toBe('\rFound 123');
    expect(at(0)).toBe('\rFound 123,456,789 files, 1 byte'); // the terminal does not tell
  });
});

describe('Progress elsewhere', () => {
  it('prints a plain line every five seconds', () => {
    const { written, progress, at } = recorded(false);
    for (let ms = 0; ms <= 12_000; ms += 100) {
      at(ms);
      progress.bytes(ms, 12_000);
    }
    progress.end();
    expect(written).toEqual([
      'Hashed 41.6% of 11.7 KiB, 1000 bytes/s, 0:07 left\n'.replace('1000 bytes', '0.98 KiB'),
      'Hashed 83.3% of 11.7 KiB, 0.98 KiB/s, 0:02 left\n',
    ]);
  });

  it('prints the first at once when asked to', () => {
    const { written, progress } = recorded(false, true);
    progress.bytes(0, 1000);
    progress.bytes(1, 1000);
    expect(written).toEqual(['Hashed 0.0% of 0.98 KiB\n']);
  });
});
