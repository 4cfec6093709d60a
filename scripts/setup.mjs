// What every root script needs first: the dependencies installed and, where asked, the packages built. Plain Node, so that it
// runs on a machine that has nothing but Node and npm.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/**
 * Runs pnpm in the repository, at the version that package.json names; ends the process when pnpm fails. What it says is shown as it
 * comes, or with `quiet` only when it fails.
 */
function pnpm(args, { quiet = false } = {}) {
  const windows = process.platform === 'win32';
  const { status, error, stdout, stderr } = spawnSync('npx', ['-y', packageManager, ...args], {
    cwd: root,
    stdio: quiet ? ['ignore', 'pipe', 'pipe'] : ['ignore', 'inherit', 'inherit'],
    maxBuffer: 1 << 26,
    shell: windows,
  });
  if (status === 0) return;
  if (quiet) process.stderr.write(`${stdout}${stderr}`);
  console.error(
    `pnpm ${args.join(' ')} failed${error ? ` (${error.message})` : ''}; mend what it says above and try again.`,
  );
  process.exit(1);
}

/** The time of the newest file below `path`, in milliseconds; 0 when there is none. */
function newest(path) {
  if (!existsSync(path)) return 0;
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return readdirSync(path).reduce((time, name) => Math.max(time, newest(join(path, name))), 0);
}

/** Installs when nothing is installed yet or the lock file is newer than what is. */
export function ensureInstalled() {
  const installed = join(root, 'node_modules', '.modules.yaml');
  if (existsSync(installed) && newest(installed) >= newest(join(root, 'pnpm-lock.yaml'))) return;
  console.error('Installing the dependencies (once) ...');
  pnpm(['install', '--frozen-lockfile']);
}

/** The published packages and apps whose build is missing or older than their source. */
function staleProjects() {
  return ['packages', 'apps']
    .flatMap((group) => readdirSync(join(root, group)).map((name) => `./${group}/${name}`))
    .filter((project) => {
      const folder = join(root, project);
      if (!existsSync(join(folder, 'tsup.config.ts'))) return false;
      const built = newest(
        join(folder, 'dist', existsSync(join(folder, 'src/cli.ts')) ? 'cli.js' : 'index.js'),
      );
      return built < Math.max(newest(join(folder, 'src')), newest(join(folder, 'package.json')));
    });
}

/** Builds what is missing or out of date. */
export function ensureBuilt() {
  const stale = staleProjects();
  if (stale.length === 0) return;
  console.error(`Building ${stale.length} packages ...`);
  pnpm(
    [
      '-r',
      '--fail-if-no-match',
      ...stale.flatMap((project) => ['--filter', project]),
      'run',
      'build',
    ],
    { quiet: true },
  );
}

/**
 * Runs a built app with the user's own folder as its current one, passes signals on, and ends with its exit code.
 *
 * @param {string} name The app's folder name under `apps/`.
 * @param {string[]} args Its arguments; a leading `--` (left there by some package managers) is dropped.
 */
export function runApp(name, args) {
  const child = spawn(
    process.execPath,
    [join(root, 'apps', name, 'dist', 'cli.js'), ...(args[0] === '--' ? args.slice(1) : args)],
    { cwd: process.env.INIT_CWD ?? process.cwd(), stdio: 'inherit' },
  );
  // A terminal's Ctrl-C reaches the child by itself; this process has only to outlive it. A signal sent to this process alone is passed on.
  process.on('SIGINT', () => {
    if (!process.stdin.isTTY) child.kill('SIGINT');
  });
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? (signal === 'SIGINT' ? 130 : 1);
  });
}
