/**
 * One process at a time has a torrent open in a folder. Node has no locks of the system's kind, and a bound socket for each of
 * ten thousand torrents would cost as many descriptors, so a file beside the resume record names the process. One that was
 * killed leaves its file behind: it counts while that very process runs. Which process has a number is told apart by when it
 * was started, where the system says so (Linux); elsewhere by when the system was.
 */
import fs from 'node:fs';
import fsp from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { makeFolder, nodeFileSystem } from './open-files.ts';

/** What the file says. */
interface Owner {
  readonly pid: number;
  /** When it was started, by the system's count; empty where there is none. */
  readonly started: string;
  /** Names the run of the system; empty where it has no name. */
  readonly bootId: string;
  readonly lockedMs: number;
}

/** The file can't be had. */
export class LockedError extends Error {
  /** Undefined when the file doesn't tell. */
  readonly pid: number | undefined;

  constructor(pid: number | undefined) {
    super(`locked by process ${pid ?? 'unknown'}`);
    this.pid = pid;
  }
}

const TRIES = 5;
/** Whoever makes the file has written it by then. */
const WRITING_MS = 5_000;
/** Clocks are set: so much the times of two of them may differ. */
const CLOCK_MS = 60_000;

/**
 * Take the lock. Where no file can be made nothing is locked.
 * @returns gives it back
 * @throws {LockedError} a process that runs has it
 */
export function takeLock(file: string, bootId: string): () => Promise<void> {
  const text = claim(file, bootId);
  return async () => {
    try {
      if ((await fsp.readFile(file, 'utf8')) === text) await fsp.rm(file, { force: true });
    } catch {
      // It is gone, or will be found to be nobody's.
    }
  };
}

/** Do something short that needs the lock. @throws {LockedError} a process that runs has it */
export function whileLocked(file: string, bootId: string, act: () => void): void {
  const text = claim(file, bootId);
  try {
    act();
  } finally {
    if (text !== undefined) fs.rmSync(file, { force: true });
  }
}

/** Make the file. Returns what it says; undefined where none can be made. @throws {LockedError} */
function claim(file: string, bootId: string): string | undefined {
  const own: Owner = {
    pid: process.pid,
    started: startOf(process.pid) ?? '',
    bootId,
    lockedMs: Date.now(),
  };
  const text = `${JSON.stringify(own)}\n`;
  try {
    makeFolder(nodeFileSystem, path.dirname(file), 0o700);
  } catch {
    return undefined;
  }
  for (let tries = 0; tries < TRIES; tries += 1) {
    try {
      fs.writeFileSync(file, text, { flag: 'wx', mode: 0o600 });
      return text;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') return undefined;
    }
    const found = read(file);
    if (found === undefined) continue;
    const owner = parse(found);
    if (owner === undefined ? isBeingWritten(file) : isRunning(owner, own)) {
      throw new LockedError(owner?.pid);
    }
    removeStale(file, found);
  }
  throw new LockedError(undefined);
}

/** Takes the file aside first: another process may have put its own there meanwhile, and gets it back. */
function removeStale(file: string, stale: string): void {
  const aside = `${file}.${process.pid}`;
  try {
    fs.renameSync(file, aside);
    if (read(aside) !== stale) fs.linkSync(aside, file);
  } catch {
    // Somebody else was first.
  }
  fs.rmSync(aside, { force: true });
}

function read(file: string): string | undefined {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function isBeingWritten(file: string): boolean {
  const stat = fs.statSync(file, { throwIfNoEntry: false });
  return stat !== undefined && Math.abs(Date.now() - stat.mtimeMs) < WRITING_MS;
}

function parse(text: string): Owner | undefined {
  try {
    const { pid, started, bootId, lockedMs } = JSON.parse(text);
    const isOwner =
      Number.isSafeInteger(pid) &&
      pid > 0 &&
      typeof started === 'string' &&
      typeof bootId === 'string' &&
      typeof lockedMs === 'number';
    return isOwner ? { pid, started, bootId, lockedMs } : undefined;
  } catch {
    return undefined;
  }
}

function isRunning(owner: Owner, own: Owner): boolean {
  if (owner.bootId !== own.bootId) return false;
  if (own.started !== '') return startOf(owner.pid) === owner.started;
  const bootedMs = Date.now() - os.uptime() * 1000;
  if (owner.lockedMs < bootedMs - CLOCK_MS) return false;
  if (owner.pid === own.pid) {
    const startedMs = Date.now() - process.uptime() * 1000;
    return owner.lockedMs > startedMs - CLOCK_MS;
  }
  try {
    process.kill(owner.pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** proc(5): field 22 of `stat`, in clock ticks since the system was started; undefined for no process or a dead one. */
function startOf(pid: number): string | undefined {
  const stat = read(`/proc/${pid}/stat`);
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state] = fields ?? [];
  return state === 'Z' || state === 'X' ? undefined : fields?.[19];
}
