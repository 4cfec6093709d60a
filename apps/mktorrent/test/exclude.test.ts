import { describe, expect, it } from 'vitest';
import { compileExclusions } from '../src/exclude.ts';

describe('compileExclusions', () => {
  it.each([
    ['*.tmp', 'a.tmp', true],
    ['*.tmp', 'deep/er/a.tmp', true],
    ['*.tmp', '.hidden.tmp', true],
    ['*.tmp', 'a.tmp.txt', false],
    ['.DS_Store', 'a/.DS_Store', true],
    ['sub/*.txt', 'sub/a.txt', true],
    ['sub/*.txt', 'sub/deep/a.txt', false],
    ['sub/*.txt', 'other/sub/a.txt', false],
    ['sub/**', 'sub/deep/a.txt', true],
    ['**/a.txt', 'a.txt', true],
    ['**/a.txt', 'x/y/a.txt', true],
    ['/top', 'top', true],
    ['/top', 'sub/top', false],
    ['./top', 'top', true],
    ['folder/', 'deep/folder', true],
    ['{a,b}.txt', 'b.txt', true],
    ['[ab].txt', 'c.txt', false],
  ])('%s against %s is %s', (glob, path, expected) => {
    expect(compileExclusions([glob])(path.split('/'))).toBe(expected);
  });

  it('leaves out what any of the globs matches, and nothing without globs', () => {
    expect(compileExclusions(['*.a', '*.b'])(['x.b'])).toBe(true);
    expect(compileExclusions([])(['x.b'])).toBe(false);
  });
});
