/**
 * Where a resume record is kept. It gets there whole (`replace-file.ts`): at any moment there is the old record or the new one.
 *
 * Records are not put beside the data: a folder that is only seeded stays as it is, one that can't be written to has a record
 * too, and every content folder holds content alone. They are in the state folder of the user (XDG base directory specification),
 * named by info-hash and download folder.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import fsp from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { codeOfErrno, type StorageError, storageError } from '../errors.ts';
import { LockedError, takeLock, whileLocked } from './lock-file.ts';
import { replaceFile } from './replace-file.ts';

/** `$XDG_STATE_HOME/pieces`, on most systems `~/.local/state/pieces`; on Windows `%LOCALAPPDATA%\pieces`. */
export function defaultStateFolder(env: NodeJS.ProcessEnv = process.env): string {
  const { XDG_STATE_HOME: state, LOCALAPPDATA: local } = env;
  if (state !== undefined && path.isAbsolute(state)) return path.join(state, 'pieces');
  if (process.platform === 'win32' && local !== undefined) return path.join(local, 'pieces');
  return path.join(os.homedir(), '.local', 'state', 'pieces');
}

/** The name of the run of the operating system: what was written in it can't have been lost unless it has ended. */
export async function readBootId(): Promise<string> {
  try {
    return (await fsp.readFile('/proc/sys/kernel/random/boot_id', 'latin1')).trim().slice(0, 64);
  } catch {
    return '';
  }
}

/** Ending of what a store that only looks writes. */
const LOOK = 'look';

/**
 * One torrent's record in one download folder. A store that writes has it alone, from `lock` to `unlock` (`lock-file.ts`). One that
 * only looks doesn't lock it, and saves what it has found unless somebody else has the record or has saved it since.
 *
 * Saves are carried out one after the other; of several that wait, the last.
 */
export class ResumeFile {
  readonly path: string;
  readonly #root: string;
  readonly #bootId: string;
  /** What the record on disk was when it was loaded or saved here. */
  #knownDigest = digestOf(undefined);
  #unlock: (() => Promise<void>) | undefined;
  #next: (() => Uint8Array) | undefined;
  #saving: Promise<StorageError | undefined> | undefined;

  constructor(stateFolder: string, infoHash: Uint8Array, root: string, bootId: string) {
    const place = createHash('sha256').update(root).digest('hex').slice(0, 16);
    const torrent = Buffer.from(infoHash).toString('hex');
    this.path = path.join(stateFolder, `${torrent}-${place}.resume`);
    this.#root = root;
    this.#bootId = bootId;
  }

  get #lockPath(): string {
    return `${this.path}.lock`;
  }

  /** @throws StorageError `in-use` */
  lock(): void {
    try {
      this.#unlock = takeLock(this.#lockPath, this.#bootId);
    } catch (error) {
      if (!(error instanceof LockedError)) throw error;
      throw storageError('in-use', { path: this.#root, cause: error });
    }
  }

  /** To be called when nothing is going to be saved any more. */
  async unlock(): Promise<void> {
    await this.#unlock?.();
    this.#unlock = undefined;
  }

  /** The bytes of the record; undefined when there is none that can be read. */
  async load(): Promise<Uint8Array | undefined> {
    let bytes: Uint8Array | undefined;
    try {
      bytes = await fsp.readFile(this.path);
    } catch {
      // Then all is hashed.
    }
    this.#knownDigest = digestOf(bytes);
    return bytes;
  }

  /** Replace the record. `encode` is called when it is its turn. Never rejects: resolves to what went wrong, if anything did. */
  save(encode: () => Uint8Array): Promise<StorageError | undefined> {
    this.#next = encode;
    const before = this.#saving ?? Promise.resolve(undefined);
    const saving = before.then(async (earlier) => {
      const encodeNow = this.#next;
      if (encodeNow === undefined) return earlier; // a later call's turn came first and wrote what this one wanted
      this.#next = undefined;
      try {
        await this.#replace(encodeNow());
        return undefined;
      } catch (error) {
        const { code: errno, syscall } = error as NodeJS.ErrnoException;
        if (errno === undefined) throw error;
        return storageError(codeOfErrno(errno), { path: this.path, errno, syscall, cause: error });
      }
    });
    this.#saving = saving;
    return saving;
  }

  /** Resolves when no save is under way or waiting. */
  async idle(): Promise<void> {
    await this.#saving;
  }

  async #replace(bytes: Uint8Array): Promise<void> {
    const isLocked = this.#unlock !== undefined;
    try {
      if (isLocked) {
        await replaceFile(this.path, bytes);
      } else {
        const rename = (temporary: string) => this.#replaceIfKnown(temporary);
        await replaceFile(this.path, bytes, { suffix: LOOK, rename });
      }
      this.#knownDigest = digestOf(bytes);
    } catch (error) {
      if (!(error instanceof LockedError)) throw error;
    }
  }

  /** In one turn, so that nobody who wants the lock finds it taken for long. @throws LockedError */
  #replaceIfKnown(temporary: string): void {
    whileLocked(this.#lockPath, this.#bootId, () => {
      const present = fs.existsSync(this.path) ? fs.readFileSync(this.path) : undefined;
      if (digestOf(present) === this.#knownDigest) fs.renameSync(temporary, this.path);
    });
  }
}

/**
 * Removes a record and what has been left of writing it, unless a store has it.
 *
 * @param recordPath as of `FileStore.recordPath`
 * @returns whether nothing is left of it
 */
export async function removeRecord(recordPath: string): Promise<boolean> {
  try {
    whileLocked(`${recordPath}.lock`, await readBootId(), () => {
      for (const ending of ['', '.tmp', `.${LOOK}`])
        fs.rmSync(recordPath + ending, { force: true });
    });
    return true;
  } catch (error) {
    if (error instanceof LockedError || 'code' in (error as Error)) return false;
    throw error;
  }
}

function digestOf(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? '' : createHash('sha256').update(bytes).digest('hex');
}
