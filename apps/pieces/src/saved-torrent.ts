// `--save-torrent`: the .torrent that a magnet link leads to, with the link's trackers and web seeds. It is written whole or not
// at all, and replaces no file unless that is wanted.
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { access, link, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { buildMetainfo, type Metainfo } from '@bt/metainfo';
import { EXIT, Failure } from './exit-codes.ts';
import { cannotWrite } from './failures.ts';
import type { Options } from './options.ts';
import type { Output } from './view/view.ts';

/** Where the .torrent of a run goes. A later one of the same run (BEP 46) takes the place of the one before. */
export class SavedTorrent {
  readonly #named: string | undefined;
  readonly #isForced: boolean;
  readonly #output: Output;
  readonly #written = new Set<string>();

  constructor({ saveTorrent, force }: Options, output: Output) {
    this.#named = saveTorrent;
    this.#isForced = force;
    this.#output = output;
  }

  /** Says no before the metadata is looked for rather than after. Throws a disk `Failure`. */
  async check(): Promise<void> {
    const path = this.#named;
    if (path === undefined || path === '-') return;
    const stats = await stat(path).catch(() => undefined);
    if (stats?.isDirectory() === true) return;
    if (stats !== undefined && !this.#isForced) throw exists(path);
    if (stats !== undefined && !stats.isFile()) {
      throw new Failure(EXIT.disk, `${path} is not a file: name another one with --save-torrent.`);
    }
    // The dot refuses a file in the folder's place.
    const folder = path.endsWith(sep) ? path : dirname(path);
    await access(`${folder}/.`, constants.W_OK).catch((error) => {
      throw cannotWrite(path, error);
    });
  }

  /** Returns where it was written; undefined for standard output. Throws a disk `Failure`. */
  async write({
    info,
    announceTiers,
    webSeeds,
    pieceLayers,
  }: Metainfo): Promise<string | undefined> {
    const named = this.#named;
    const bytes = buildMetainfo({
      info: info.bytes,
      announceTiers,
      webSeeds,
      ...(info.version === 'v1' ? {} : { pieceLayers }),
    });
    if (named === '-' || named === undefined) {
      this.#output.outBytes(bytes);
      return undefined;
    }
    const isFolder = (await stat(named).catch(() => undefined))?.isDirectory() === true;
    const path = isFolder ? join(named, `${info.name}.torrent`) : named;
    await writeWhole(path, bytes, this.#isForced || this.#written.has(path));
    this.#written.add(path);
    return path;
  }
}

async function writeWhole(path: string, bytes: Uint8Array, isForced: boolean): Promise<void> {
  const temporary = `${path}.${randomBytes(4).toString('hex')}.tmp`;
  try {
    await writeFile(temporary, bytes, { flag: 'wx', flush: true });
    if (isForced) await rename(temporary, path);
    else await renameToNew(temporary, path);
  } catch (error) {
    throw error instanceof Failure ? error : cannotWrite(path, error);
  } finally {
    await rm(temporary, { force: true }).catch(() => {});
  }
}

/** A link, unlike a rename, fails when the name was taken meanwhile. Some file systems have none. */
async function renameToNew(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch {
    if ((await stat(to).catch(() => undefined)) !== undefined) throw exists(to);
    await rename(from, to);
  }
}

function exists(path: string): Failure {
  return new Failure(
    EXIT.disk,
    `${path} exists: use --force to replace it, or name another file with --save-torrent.`,
  );
}
