// `--exclude`: globs that leave out files and folders.
import picomatch from 'picomatch';

/**
 * Says whether a path below the input is left out. A glob without `/` is held against names in any folder, one with `/` against the
 * whole path. What is written in `pieces --files` means the same.
 */
export function compileExclusions(globs: readonly string[]): (path: readonly string[]) => boolean {
  const matchers = globs.map((glob) => {
    const matches = picomatch(glob.replace(/^\.?\//, '').replace(/\/+$/, ''), { dot: true });
    const isName = !glob.replace(/\/+$/, '').includes('/');
    return (path: readonly string[]) => matches(isName ? (path.at(-1) ?? '') : path.join('/'));
  });
  return (path) => matchers.some((matches) => matches(path));
}
