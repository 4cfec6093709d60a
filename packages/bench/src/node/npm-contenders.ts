// The contenders that are npm packages: they stand in contenders/, with a lock file of their own.
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const FOLDER = new URL('../../contenders/', import.meta.url);

/** Installs what the lock file names, once. A failure is no error here: the contenders are then missing. */
export function installNpmContenders(): void {
  const installed = new URL('node_modules/.package-lock.json', FOLDER);
  const lock = new URL('package-lock.json', FOLDER);
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs) return;
  console.error('Installing the npm contenders (once) ...');
  spawnSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: fileURLToPath(FOLDER),
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

export function contenderScript(name: string): string {
  return fileURLToPath(new URL(name, FOLDER));
}

export async function importNpmContender(name: string): Promise<unknown> {
  const { load } = (await import(new URL('load.mjs', FOLDER).href)) as {
    load: (name: string) => Promise<unknown>;
  };
  return await load(name);
}

export function missingNpmContender(name: string): string | undefined {
  if (existsSync(new URL(`node_modules/${name}/package.json`, FOLDER))) return undefined;
  return `npm ${name} is not installed: npm ci in packages/bench/contenders`;
}
