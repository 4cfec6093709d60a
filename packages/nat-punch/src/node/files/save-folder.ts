// Where files of other members are saved: never over another file, and under no name but a plain one in this folder. What is not whole yet
// lies in a folder of its own below, as `NAME.ID.NUMBER.part`; the ID is made of all that the offer says, and only a later offer that says the
// same goes on from there. A file in that folder is only ever appended to, or cut back to what it was.
import { createHash, type Hash } from 'node:crypto';
import { type BigIntStats, constants } from 'node:fs';
import { type FileHandle, link, lstat, mkdir, open, rename, rm, rmdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { FILE_KEY_BYTES } from '../../chat/chat-frame.ts';
import { numberedFileName, safeFileName } from '../../chat/file-name.ts';
import type { FileHash } from '../../chat/file-transfer.ts';
import { NatPunchError } from '../../errors.ts';

/** Nothing else is in it, and it is there only as long as there is something in it. */
export const PARTS_FOLDER = '.p2p-parts';
/** So many names beside one another are tried for a whole file, and for what is there of one offer. */
const MAX_NUMBER = 10_000;
const MAX_PARTS = 16;
/** Others may come and go with the folder of parts, while we make a file in it. */
const MAX_TRIES = 10;
const READ_BYTES = 256 * 1024;
/** Nobody else on this machine reads a file that has just come. */
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;

/** SHA-256 by node:crypto. */
export class NodeFileHash implements FileHash {
  readonly #hash: Hash = createHash('sha256');

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  digest(): Uint8Array {
    return new Uint8Array(this.#hash.copy().digest());
  }
}

/** What the other member says of a file. */
export interface FileOffer {
  readonly name: string;
  readonly lengthBytes: number;
  readonly key: Uint8Array;
}

/** The parts that are open in this process: a member may send one file twice at a time. */
const openParts = new Set<string>();

/** Opens what there is of a file in a folder, or begins it. Throws what the file system throws. */
export async function openPart(folder: string, offer: FileOffer): Promise<PartFile> {
  const place = { folder, name: safeFileName(offer.name), id: idOf(offer) };
  await makePartsFolder(folder);
  return (await resumePart(place, offer.lengthBytes)) ?? (await beginPart(place));
}

interface Place {
  readonly folder: string;
  readonly name: string;
  readonly id: string;
}

/** A file that is being received, on disk. */
export class PartFile {
  /** That has been given what there is of an earlier try. */
  readonly hash: NodeFileHash;
  readonly #place: Place;
  #path: string;
  #file: FileHandle | undefined;
  #earlierBytes: number;
  #position: number;

  constructor(place: Place, opened: OpenedPart) {
    this.#place = place;
    this.#path = opened.path;
    this.#file = opened.file;
    this.hash = opened.hash;
    this.#earlierBytes = opened.lengthBytes;
    this.#position = opened.lengthBytes;
  }

  get lengthBytes(): number {
    return this.#position;
  }

  async append(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const file = this.#opened();
      const { bytesWritten } = await file.write(bytes, at, bytes.length - at, this.#position);
      at += bytesWritten;
      this.#position += bytesWritten;
    }
  }

  /** Begins anew, and leaves what there was of an earlier try where it is. */
  async restart(): Promise<void> {
    await this.close();
    const { path, file } = await createPart(this.#place);
    this.#path = path;
    this.#file = file;
    this.#earlierBytes = 0;
    this.#position = 0;
  }

  /** Drops what has been appended. */
  async discard(): Promise<void> {
    await this.#opened().truncate(this.#earlierBytes);
    this.#position = this.#earlierBytes;
  }

  /** It is whole: gives it its name, and says which. */
  async save(): Promise<string> {
    const file = this.#opened();
    await file.sync();
    this.#file = undefined;
    try {
      await file.close();
      return await giveName(this.#path, this.#place);
    } finally {
      openParts.delete(this.#path);
      await removePartsFolder(this.#place.folder);
    }
  }

  /** Keeps what there is for a later try; nothing is kept of a file that has not begun. */
  async close(): Promise<void> {
    const file = this.#file;
    if (file === undefined) return;
    this.#file = undefined;
    try {
      await file.close();
      if (this.#position > 0) return;
      await rm(this.#path, { force: true });
      await removePartsFolder(this.#place.folder);
    } finally {
      openParts.delete(this.#path);
    }
  }

  #opened(): FileHandle {
    if (this.#file === undefined) throw new NatPunchError('closed', 'the file is closed');
    return this.#file;
  }
}

interface OpenedPart {
  readonly path: string;
  readonly file: FileHandle;
  readonly lengthBytes: number;
  readonly hash: NodeFileHash;
}

/** What an earlier try of this offer has left last. */
async function resumePart(place: Place, wantedBytes: number): Promise<PartFile | undefined> {
  const found: { readonly path: string; readonly writtenAt: bigint }[] = [];
  for (let number = MAX_PARTS; number >= 1; number -= 1) {
    const path = partPath(place, number);
    const about = await lstat(path, { bigint: true }).catch(() => undefined);
    if (about === undefined || !isOurs(about) || about.size > wantedBytes) continue;
    found.push({ path, writtenAt: about.mtimeNs });
  }
  found.sort((a, b) => (a.writtenAt > b.writtenAt ? -1 : a.writtenAt < b.writtenAt ? 1 : 0));
  for (const { path } of found) {
    if (openParts.has(path)) continue;
    openParts.add(path);
    const opened = await openPartAt(path, wantedBytes).catch(() => undefined);
    if (opened !== undefined) return new PartFile(place, opened);
    openParts.delete(path);
  }
  return undefined;
}

async function openPartAt(path: string, wantedBytes: number): Promise<OpenedPart | undefined> {
  // A link that lies there would lead elsewhere.
  const file = await open(path, constants.O_RDWR | (constants.O_NOFOLLOW ?? 0));
  try {
    const hash = new NodeFileHash();
    // It may be another one than was looked at.
    if (isOurs(await file.stat({ bigint: true }))) {
      const lengthBytes = await hashWhole(file, hash);
      if (lengthBytes <= wantedBytes) return { path, file, lengthBytes, hash };
    }
  } catch (error) {
    await file.close();
    throw error;
  }
  await file.close();
  return undefined;
}

async function beginPart(place: Place): Promise<PartFile> {
  const created = await createPart(place);
  return new PartFile(place, { ...created, lengthBytes: 0, hash: new NodeFileHash() });
}

/** A new file under the first number that is free. */
async function createPart(place: Place): Promise<Pick<OpenedPart, 'path' | 'file'>> {
  let tries = 0;
  for (let number = 1; number <= MAX_PARTS; ) {
    const path = partPath(place, number);
    if (openParts.has(path)) {
      number += 1;
      continue;
    }
    openParts.add(path);
    try {
      await makePartsFolder(place.folder);
      return { path, file: await open(path, 'wx+', FILE_MODE) };
    } catch (error) {
      openParts.delete(path);
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EEXIST') number += 1;
      else if (code !== 'ENOENT' || tries === MAX_TRIES) throw error;
      else tries += 1;
    }
  }
  throw namesTaken();
}

/** @throws {NatPunchError} `invalid-argument` if something else has its name */
async function makePartsFolder(folder: string): Promise<void> {
  const path = join(folder, PARTS_FOLDER);
  try {
    await mkdir(path, { mode: FOLDER_MODE });
    return;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const about = await lstat(path, { bigint: true }).catch(() => undefined);
  if (about === undefined || (about.isDirectory() && isOfThisUser(about))) return;
  throw new NatPunchError('invalid-argument', `${PARTS_FOLDER} is there, and no folder of ours`);
}

async function removePartsFolder(folder: string): Promise<void> {
  // Not while there is something in it.
  await rmdir(join(folder, PARTS_FOLDER)).catch(() => {});
}

function partPath({ folder, name, id }: Place, number: number): string {
  return join(folder, PARTS_FOLDER, `${name}.${id}.${number}.part`);
}

/** Two offers that differ in anything have two. */
function idOf({ name, lengthBytes, key }: FileOffer): string {
  const facts = JSON.stringify([name, lengthBytes, Buffer.from(key).toString('hex')]);
  return createHash('sha256').update(facts).digest('hex').slice(0, 16);
}

/** A plain file that has no other name. */
function isOurs(about: BigIntStats): boolean {
  return about.isFile() && about.nlink === 1n && isOfThisUser(about);
}

function isOfThisUser({ uid }: BigIntStats): boolean {
  return process.getuid === undefined || uid === BigInt(process.getuid());
}

async function hashWhole(file: FileHandle, hash: FileHash): Promise<number> {
  const buffer = new Uint8Array(READ_BYTES);
  for (let position = 0; ; ) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
    if (bytesRead === 0) return position;
    hash.update(buffer.subarray(0, bytesRead));
    position += bytesRead;
  }
}

/** Moves the part to the first name that is free: `name`, `name (2)` and so on. */
async function giveName(path: string, { folder, name }: Place): Promise<string> {
  for (let number = 1; number <= MAX_NUMBER; number += 1) {
    const target = join(folder, numberedFileName(name, number));
    if (await moveTo(path, target)) return target;
  }
  throw namesTaken();
}

/** False if there is something already. */
async function moveTo(path: string, target: string): Promise<boolean> {
  try {
    await link(path, target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    return await moveWithoutLinks(path, target);
  }
  await rm(path, { force: true }).catch(() => {});
  return true;
}

/** For file systems that have no hard links. */
async function moveWithoutLinks(path: string, target: string): Promise<boolean> {
  try {
    // Only who makes the name has it; then nothing but our own empty file is replaced.
    await (await open(target, 'wx', FILE_MODE)).close();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
  try {
    await rename(path, target);
  } catch (error) {
    await rm(target, { force: true }).catch(() => {});
    throw error;
  }
  return true;
}

function namesTaken(): Error {
  return Object.assign(new Error('all names are taken'), { code: 'EEXIST' });
}

/**
 * A file to send: what reads it, its length, and its key for a member of that name. Throws what the file system throws; `EISDIR` for a
 * folder.
 */
export async function openSource(
  path: string,
  memberName: string,
): Promise<{
  readonly file: FileHandle;
  readonly lengthBytes: number;
  readonly key: Uint8Array;
}> {
  const file = await open(path, 'r');
  try {
    const found = await file.stat({ bigint: true });
    if (found.isDirectory()) throw Object.assign(new Error('a folder'), { code: 'EISDIR' });
    if (!found.isFile()) throw Object.assign(new Error('no file'), { code: 'EINVAL' });
    return { file, lengthBytes: Number(found.size), key: keyOf(path, found, memberName) };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** The same as long as the file is not written to, of what nobody elsewhere knows. */
function keyOf(path: string, { dev, ino, size, mtimeNs }: BigIntStats, member: string): Uint8Array {
  const facts = JSON.stringify([resolve(path), `${dev} ${ino} ${size} ${mtimeNs}`, member]);
  return createHash('sha256').update(facts).digest().subarray(0, FILE_KEY_BYTES);
}
