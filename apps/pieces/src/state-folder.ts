// The state folder holds a resume record for each torrent in each download folder, and a lock while a process uses it (`@bt/storage`
// writes both). Here a note is put beside each, which says where that is, and they are removed when they are of no use any more.
import { createHash } from 'node:crypto';
import { lstat, readdir, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { type Info, toHex } from '@bt/metainfo';
import { defaultStateFolder, removeRecord } from '@bt/storage/node';

/** How long a record is kept that nobody uses. */
const KEPT_MS = 180 * 24 * 3_600_000;
/** Records that are looked at in one run. */
const MAX_LOOKED_AT = 200;
/** The files of a record; what stands before the dot is its name. */
const FILE_NAME = /^([0-9a-f]{40}(?:[0-9a-f]{24})?-[0-9a-f]{16})\.(?:resume(?:\.[a-z]+)?|json)$/;

/** The info dictionary of a magnet link (`@bt/engine` writes it), which a record may be of. */
const METADATA_NAME = /^([0-9a-f]{40})\.torrent(?:\.tmp)?$/;

interface Note {
  /** The download folder, and what the torrent may be called in it. */
  readonly folder: string;
  readonly names: readonly string[];
  /** The file system that the folder is on. */
  readonly device: number;
}

/** A torrent's record, and the note beside it. */
export class TorrentRecord {
  readonly stateFolder: string;
  /** The name of the record's files. */
  readonly name: string;
  readonly #note: Note;

  private constructor(stateFolder: string, name: string, note: Note) {
    this.stateFolder = stateFolder;
    this.name = name;
    this.#note = note;
  }

  static async of(info: Info, dir: string): Promise<TorrentRecord> {
    const { path: folder, device } = await locate(resolve(dir));
    const place = createHash('sha256').update(folder).digest('hex').slice(0, 16);
    // Files may also lie under the torrent's own name, though that is not safe everywhere.
    const names = [...new Set([info.name, info.files.originalPathOf(0)[0] ?? info.name])];
    const name = `${toHex(info.infoHash)}-${place}`;
    return new TorrentRecord(defaultStateFolder(), name, { folder, names, device });
  }

  /**
   * Notes that it is used now. Not in a folder that is not there: storage makes it with the first record. Never rejects: without a
   * note a record is kept until nobody has used it for long.
   */
  async noteUse(): Promise<void> {
    const path = join(this.stateFolder, `${this.name}.json`);
    await writeFile(path, `${JSON.stringify(this.#note)}\n`, { mode: 0o600 }).catch(() => {});
  }
}

/**
 * Removes records that nobody has used for 180 days, and those whose torrent has been deleted; never `own`, nor one that a process
 * uses. So are info dictionaries of magnet links that have no record. Looks at 200 of them, others each time. Never rejects.
 */
export async function pruneRecords(own: TorrentRecord, nowMs = Date.now()): Promise<void> {
  const { stateFolder } = own;
  const records = new Map<string, string[]>();
  const fileNames = await readdir(stateFolder).catch(() => []);
  for (const fileName of fileNames) {
    const [, name] = FILE_NAME.exec(fileName) ?? [];
    if (name === undefined || name === own.name) continue;
    const paths = records.get(name) ?? [];
    records.set(name, [...paths, join(stateFolder, fileName)]);
  }
  for (const fileName of fileNames) {
    const [, infoHash] = METADATA_NAME.exec(fileName) ?? [];
    // One whose torrent is still in use is of use too.
    const isUsed = (name: string) => FILE_NAME.test(name) && name.startsWith(`${infoHash}-`);
    if (infoHash === undefined || fileNames.some(isUsed)) continue;
    records.set(fileName, [join(stateFolder, fileName)]);
  }
  const all = [...records];
  const first = Math.floor(Math.random() * all.length);
  const some = [...all.slice(first), ...all.slice(0, first)].slice(0, MAX_LOOKED_AT);
  for (const [name, paths] of some) {
    if (!(await isUseless(paths, nowMs))) continue;
    const path = join(stateFolder, name);
    const isRecord = !METADATA_NAME.test(name);
    if (isRecord && !(await removeRecord(`${path}.resume`))) continue;
    await rm(isRecord ? `${path}.json` : path, { force: true }).catch(() => {});
  }
}

/** Whether these files are of no use any more, which belong together. */
async function isUseless(paths: readonly string[], nowMs: number): Promise<boolean> {
  const stats = await Promise.all(paths.map((path) => stat(path).catch(() => undefined)));
  const usedMs = Math.max(...stats.map((file) => file?.mtimeMs ?? 0));
  if (nowMs - usedMs > KEPT_MS) return true;
  const note = paths.find((path) => path.endsWith('.json'));
  return note !== undefined && (await isDeleted(await readNote(note)));
}

/** What a note says, as far as it says anything. */
async function readNote(path: string): Promise<Partial<Note>> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) ?? {};
  } catch {
    return {};
  }
}

/** The torrent is not there, but the file system that it was on is: no disk that is merely unplugged. */
async function isDeleted({ folder, names, device }: Partial<Note>): Promise<boolean> {
  if (typeof folder !== 'string' || !Array.isArray(names)) return false;
  for (const name of names) if (!(await isMissing(join(folder, `${name}`)))) return false;
  return (await locate(folder)).device === device;
}

/** False also for what can't be told. */
async function isMissing(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return false;
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    return ['ENOENT', 'ENOTDIR'].includes(code);
  }
}

/** The real path of a folder that may have to be made yet, and the file system that it is or will be on: NaN when there is none. */
async function locate(folder: string): Promise<{ readonly path: string; readonly device: number }> {
  try {
    const path = await realpath(folder);
    return { path, device: (await stat(path)).dev };
  } catch {
    const parent = dirname(folder);
    if (parent === folder) return { path: folder, device: Number.NaN };
    const { path, device } = await locate(parent);
    return { path: join(path, basename(folder)), device };
  }
}
