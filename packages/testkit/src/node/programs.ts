// Which real programs the tests need, and what to install when one is missing.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Debian's package for each program. */
const PACKAGES = {
  aria2c: 'aria2',
  chromium: 'chromium',
  conntrack: 'conntrack',
  ip: 'iproute2',
  mktorrent: 'mktorrent',
  nft: 'nftables',
  nsenter: 'util-linux',
  opentracker: 'opentracker',
  'python3-libtorrent': 'python3-libtorrent',
  'redis-server': 'redis-server',
  setpriv: 'util-linux',
  'transmission-daemon': 'transmission-daemon',
  'transmission-remote': 'transmission-cli',
  'transmission-show': 'transmission-cli',
  turnutils_natdiscovery: 'coturn',
  turnutils_uclient: 'coturn',
  unshare: 'util-linux',
} as const;

export type Program = keyof typeof PACKAGES;

/** Debian's own Python: the one that python3-libtorrent is built for. */
export const PYTHON = '/usr/bin/python3';

/** The path of a program, or undefined when it is not installed. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

function isInstalled(program: Program): boolean {
  if (program !== 'python3-libtorrent') return findProgram(program) !== undefined;
  return spawnSync(PYTHON, ['-c', 'import libtorrent']).status === 0;
}

/** One sentence that says what is missing and how to install it, or undefined when everything is there. */
export function missingPrograms(programs: readonly Program[]): string | undefined {
  const missing = programs.filter((program) => !isInstalled(program));
  if (missing.length === 0) return undefined;
  const packages = [...new Set(missing.map((program) => PACKAGES[program]))];
  return `${missing.join(', ')} not installed: apt-get install ${packages.join(' ')}`;
}
