// The contender that is a Python module of the system.
import { spawnSync } from 'node:child_process';
import { PYTHON } from '@bt/testkit';

export function missingLibtorrent(): string | undefined {
  if (spawnSync(PYTHON, ['-c', 'import libtorrent']).status === 0) return undefined;
  return 'libtorrent is not installed: apt-get install python3-libtorrent';
}
