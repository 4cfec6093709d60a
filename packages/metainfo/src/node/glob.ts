// Shell patterns for file names: which files `exclude` leaves out.

import { MetainfoError } from '../errors.ts';

/** Says whether a path, given as its components below the root, is matched. */
export type PathMatcher = (path: readonly string[]) => boolean;

/**
 * A matcher for any of `patterns`: `*` and `?` match within one name, `**` across folders, `[abc]`, `[a-z]` and `[!abc]`
 * one character; `\` takes the next character as it is. A pattern without a `/` is matched against the last name alone
 * (`*.tmp` in any folder), one with a `/` against the whole path below the root.
 */
export function compileGlobs(patterns: readonly string[]): PathMatcher {
  const names: RegExp[] = [];
  const paths: RegExp[] = [];
  for (const pattern of patterns) {
    const body = pattern.replace(/^\.?\//, '').replace(/\/+$/, '');
    (body.includes('/') || pattern.startsWith('/') ? paths : names).push(globToRegExp(body));
  }
  return (path) => {
    const name = path.at(-1) ?? '';
    if (names.some((expression) => expression.test(name))) return true;
    if (paths.length === 0) return false;
    const joined = path.join('/');
    return paths.some((expression) => expression.test(joined));
  };
}

function globToRegExp(pattern: string): RegExp {
  let source = '';
  let at = 0;
  while (at < pattern.length) {
    const char = pattern[at] as string;
    if (char === '*') {
      const stars = /^\*+/.exec(pattern.slice(at))?.[0].length ?? 1;
      at += stars;
      if (stars === 1) source += '[^/]*';
      else if (pattern[at] === '/' && (source === '' || source.endsWith('/'))) {
        source += '(?:.*/)?'; // `**/` also matches no folder at all
        at++;
      } else source += '.*';
      continue;
    }
    if (char === '?') source += '[^/]';
    else if (char === '[') {
      const set = /^\[([!^]?)(\]?[^\]]*)\]/.exec(pattern.slice(at));
      if (set === null) source += '\\[';
      else {
        const members = (set[2] as string).replace(/[\\\]^[]/g, '\\$&');
        source += `(?!/)[${set[1] === '' ? '' : '^'}${members}]`;
        at += set[0].length;
        continue;
      }
    } else if (char === '\\' && at + 1 < pattern.length) {
      source += escapeRegExp(pattern[++at] as string);
    } else source += escapeRegExp(char);
    at++;
  }
  try {
    return new RegExp(`^${source}$`, 's');
  } catch (error) {
    const message = `'${pattern}' is not a pattern: a range in brackets runs backwards.`;
    throw new MetainfoError('invalid-argument', 'exclude', message, error);
  }
}

function escapeRegExp(char: string): string {
  return char.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}
