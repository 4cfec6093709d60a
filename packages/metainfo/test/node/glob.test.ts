import { describe, expect, it } from 'vitest';
import { MetainfoError } from '../../src/errors.ts';
import { compileGlobs } from '../../src/node/glob.ts';

const matches = (pattern: string, path: string) => compileGlobs([pattern])(path.split('/'));

describe('compileGlobs', () => {
  it.each([
    ['*.tmp', 'a.tmp', true],
    ['*.tmp', 'deep/er/a.tmp', true],
    ['*.tmp', 'a.tmp.txt', false],
    ['.DS_Store', 'a/.DS_Store', true],
    ['.DS_Store', 'aDS_Store', false],
    ['a?c', 'abc', true],
    ['a?c', 'ac', false],
    ['sub/*.txt', 'sub/a.txt', true],
    ['sub/*.txt', 'sub/deep/a.txt', false],
    ['sub/*.txt', 'other/sub/a.txt', false],
    ['sub/**', 'sub/deep/a.txt', true],
    ['**/a.txt', 'a.txt', true],
    ['**/a.txt', 'x/y/a.txt', true],
    ['x/**/a.txt', 'x/a.txt', true],
    ['x/**/a.txt', 'x/y/z/a.txt', true],
    ['x/**/a.txt', 'xa.txt', false],
    ['/top', 'top', true],
    ['/top', 'sub/top', false],
    ['./top', 'top', true],
    ['folder/', 'folder', true],
    ['[ab].txt', 'a.txt', true],
    ['[!ab].txt', 'a.txt', false],
    ['[^ab].txt', 'c.txt', true],
    ['[a-c].txt', 'b.txt', true],
    ['[a-c].txt', 'd.txt', false],
    ['[]x].txt', '].txt', true],
    ['[.txt', '[.txt', true],
    ['\\*.txt', '*.txt', true],
    ['\\*.txt', 'a.txt', false],
    ['a+b(c).{d}', 'a+b(c).{d}', true],
    ['*', 'any\nname', true],
  ])('%s against %s is %s', (pattern, path, expected) => {
    expect(matches(pattern, path)).toBe(expected);
  });

  it('matches when any of several patterns does, and nothing without patterns', () => {
    expect(compileGlobs(['*.a', '*.b'])(['x.b'])).toBe(true);
    expect(compileGlobs([])(['x.b'])).toBe(false);
  });

  it('refuses a range that runs backwards', () => {
    expect(() => compileGlobs(['[z-a]'])).toThrow(MetainfoError);
  });
});
