// Writes info dictionaries and .torrent files: canonical bencode, byte for byte what libtorrent writes for the same files
// in v2 and hybrid form. Hashes come from the caller. BEP 3, 12, 19, 27, 47, 52.
import { BencodeError, type BencodeInput, encode, rawBencode } from '@bt/bencode';
import { compareBytes } from './bytes.ts';
import { MetainfoError } from './errors.ts';
import { BLOCK_LENGTH, Geometry, MAX_PIECE_LENGTH, MERKLE_HASH_LENGTH } from './geometry.ts';
import { fromHex } from './hex.ts';
import { formatHostPort, parseHostPort } from './host-port.ts';
import type { HostPort, Info, TorrentVersion } from './metainfo.ts';

/** Text, or the bytes of a name that may not be UTF-8. */
export type NameInput = string | Uint8Array;

/** A file to describe. */
export interface BuildFile {
  /** Below the torrent's name; for a single file just its name. */
  readonly path: readonly NameInput[];
  readonly length: number;
  /** BEP 47 padding, as {@link planFiles} puts it in. */
  readonly isPad?: boolean | undefined;
  readonly executable?: boolean | undefined;
  readonly hidden?: boolean | undefined;
  /** Makes it a symbolic link, which has no length: the target's path below the torrent's name. */
  readonly symlinkTarget?: readonly NameInput[] | undefined;
  /** v2 and hybrid, files with bytes: the 32-byte Merkle root. */
  readonly piecesRoot?: Uint8Array | undefined;
}

export interface PlanOptions {
  readonly version: TorrentVersion;
  readonly pieceLength: number;
  readonly files: readonly BuildFile[];
}

export interface BuildInfoOptions extends PlanOptions {
  readonly name: NameInput;
  /** One file that is not in a folder of the torrent's name. */
  readonly isSingleFile: boolean;
  /** As {@link planFiles} gave them, with the roots filled in. */
  readonly files: readonly BuildFile[];
  /** v1 and hybrid: the SHA-1 of each piece, one behind the other. */
  readonly pieces?: Uint8Array | undefined;
  readonly isPrivate?: boolean | undefined;
  readonly source?: string | undefined;
  /** Anything, to make the info-hash another one (`entropy`). */
  readonly entropy?: Uint8Array | undefined;
}

export interface BuildMetainfoOptions {
  /**
   * The info dictionary, as {@link buildInfo} or a peer gave it, or that of a torrent that was read; its bytes are written as they are.
   */
  readonly info: Uint8Array | Info;
  readonly announceTiers?: readonly (readonly string[])[] | undefined;
  readonly webSeeds?: readonly string[] | undefined;
  readonly nodes?: readonly HostPort[] | undefined;
  readonly comment?: string | undefined;
  readonly createdBy?: string | undefined;
  readonly createdAtSeconds?: number | undefined;
  /** v2 and hybrid: by pieces root in hex, for every file longer than a piece. Those of an {@link Info} that is v1 are left out. */
  readonly pieceLayers?: ReadonlyMap<string, Uint8Array> | undefined;
}

/** Folders in a path that leave a v2 tree within the 100 nested containers of bencode. */
export const MAX_BUILT_DEPTH = 95;

const MIN_AUTOMATIC = BLOCK_LENGTH;
const MAX_AUTOMATIC = 16 * 1024 * 1024;
const MAX_AUTOMATIC_PIECES = 2000;

/**
 * The piece length for a torrent of so many bytes when nobody asks for another: the smallest power of two from 16 KiB to
 * 16 MiB that makes at most 2,000 pieces.
 */
export function pieceLengthFor(totalLength: number): number {
  let length = MIN_AUTOMATIC;
  while (length < MAX_AUTOMATIC && totalLength > length * MAX_AUTOMATIC_PIECES) length *= 2;
  return length;
}

/**
 * The files in the order in which their bytes are hashed, with padding. v1 keeps the order; v2 and hybrid need that of the
 * file tree, by the bytes of their names; a hybrid torrent of several files gets a pad file behind each one that does not
 * end on a piece boundary, the last too.
 */
export function planFiles({ version, pieceLength, files }: PlanOptions): BuildFile[] {
  if (version === 'v1') return [...files];
  const sorted = files
    .map((file) => ({ file, names: file.path.map(nameBytes) }))
    .sort((a, b) => comparePaths(a.names, b.names))
    .map(({ file }) => file);
  if (version === 'v2' || files.length < 2) return sorted;
  return sorted.flatMap((file) => {
    const length = (pieceLength - (file.length % pieceLength)) % pieceLength;
    return length === 0 ? [file] : [file, { path: ['.pad', `${length}`], length, isPad: true }];
  });
}

/**
 * The canonical bytes of an info dictionary.
 * @throws MetainfoError `invalid-argument` for what would make no valid torrent; `unsafe-path` for names that no client
 *   would take.
 */
export function buildInfo(options: BuildInfoOptions): Uint8Array {
  const { version, name, pieceLength, isSingleFile, files, pieces } = options;
  checkOptions(options);
  const hasV1 = version !== 'v2';
  const hasV2 = version !== 'v1';
  const [first] = files;
  return encodeChecked({
    attr: hasV1 && isSingleFile ? attributesOf(first!) : undefined,
    entropy: options.entropy,
    'file tree': hasV2 ? fileTree(files) : undefined,
    files: hasV1 && !isSingleFile ? files.map(fileEntry) : undefined,
    length: hasV1 && isSingleFile ? first!.length : undefined,
    'meta version': hasV2 ? 2 : undefined,
    name,
    'piece length': pieceLength,
    pieces: hasV1 ? pieces : undefined,
    private: options.isPrivate ? 1 : undefined,
    source: options.source,
  });
}

/**
 * The bytes of a .torrent. A whole `Metainfo`, as `parseMetainfo` gives it, can be given too.
 * @throws MetainfoError `invalid-argument`
 */
export function buildMetainfo(options: BuildMetainfoOptions): Uint8Array {
  const tiers = (options.announceTiers ?? []).filter((tier) => tier.length > 0);
  const trackers = tiers.flat();
  const webSeeds = options.webSeeds ?? [];
  const nodes = options.nodes ?? [];
  const { info } = options;
  const isV1 = !(info instanceof Uint8Array) && info.version === 'v1';
  const pieceLayers = isV1 ? undefined : options.pieceLayers;
  for (const node of nodes) {
    if (parseHostPort(formatHostPort(node)) === undefined) {
      throw refuse('nodes', `${formatHostPort(node)} is not a host and a port`);
    }
  }
  return encodeChecked({
    announce: trackers[0],
    'announce-list': trackers.length > 1 ? tiers : undefined,
    comment: options.comment,
    'created by': options.createdBy,
    'creation date': options.createdAtSeconds,
    info: rawBencode(info instanceof Uint8Array ? info : info.bytes),
    nodes: nodes.length > 0 ? nodes.map(({ host, port }) => [host, port]) : undefined,
    'piece layers': pieceLayers === undefined ? undefined : layers(pieceLayers),
    'url-list': webSeeds.length > 1 ? webSeeds : webSeeds[0],
  });
}

function checkOptions(options: BuildInfoOptions): void {
  const { version, name, pieceLength, isSingleFile, files, pieces } = options;
  const minimum = version === 'v1' ? 1 : BLOCK_LENGTH;
  if (
    !Number.isInteger(pieceLength) ||
    pieceLength < minimum ||
    pieceLength > MAX_PIECE_LENGTH ||
    (version !== 'v1' && !Number.isInteger(Math.log2(pieceLength)))
  ) {
    throw refuse('pieceLength', `${pieceLength} bytes is no piece length of a ${version} torrent`);
  }
  checkName(name, 'name');
  files.forEach((file, index) => {
    checkFile(file, version, index);
  });
  if (!files.some((file) => !file.isPad && file.length > 0)) {
    throw refuse('files', 'there is no file with content');
  }
  if (isSingleFile && !(files.length === 1 && files[0]!.path.length === 1)) {
    throw refuse('files', 'a single-file torrent has one file, whose path is its name');
  }
  if (isSingleFile && comparePaths(files[0]!.path.map(nameBytes), [nameBytes(name)]) !== 0) {
    throw refuse('name', 'a single-file torrent has the name of its file');
  }
  if (version === 'v2') return;
  const geometry = new Geometry({ pieceLength, lengths: files.map((file) => file.length) });
  if (pieces?.length !== geometry.pieceCount * 20) {
    throw refuse('pieces', `${geometry.pieceCount} pieces need 20 bytes each`);
  }
  files.forEach((file, index) => {
    if (version === 'hybrid' && !file.isPad && file.length > 0) {
      if (geometry.fileStart(index).offset !== 0) {
        throw refuse(`files[${index}]`, 'each file of a hybrid torrent begins a piece');
      }
    }
  });
}

function checkFile(file: BuildFile, version: TorrentVersion, index: number): void {
  const field = `files[${index}]`;
  const { length, path, piecesRoot, symlinkTarget } = file;
  if (!Number.isSafeInteger(length) || length < 0 || (symlinkTarget !== undefined && length > 0)) {
    throw refuse(`${field}.length`, `${length} is no length of it`);
  }
  if (path.length === 0 || symlinkTarget?.length === 0)
    throw refuse(`${field}.path`, 'it is empty');
  if (path.length > MAX_BUILT_DEPTH) {
    throw refuse(`${field}.path`, `it is more than ${MAX_BUILT_DEPTH} folders deep`);
  }
  for (const name of [...path, ...(symlinkTarget ?? [])]) checkName(name, `${field}.path`);
  if (version === 'v2' && file.isPad) throw refuse(field, 'a v2 torrent has no pad files');
  if (version === 'v1' || file.isPad || length === 0) return;
  if (piecesRoot?.length !== MERKLE_HASH_LENGTH) {
    throw refuse(`${field}.piecesRoot`, 'a file with content has a root of 32 bytes');
  }
}

function checkName(name: NameInput, field: string): void {
  if (typeof name === 'string' ? !/^\.{0,2}$|[/\0]/.test(name) : !isUnsafe(name)) return;
  throw new MetainfoError(
    'unsafe-path',
    field,
    `The name in ${field} is empty, a dot or two, or has a slash or NUL.`,
  );
}

function isUnsafe(bytes: Uint8Array): boolean {
  const isDots = bytes.length <= 2 && bytes.every((byte) => byte === 0x2e);
  return isDots || bytes.includes(0) || bytes.includes(0x2f);
}

function fileEntry(file: BuildFile): BencodeInput {
  return {
    attr: attributesOf(file),
    length: file.length,
    path: file.path,
    'symlink path': file.symlinkTarget,
  };
}

/** The order of the letters is libtorrent's, so that the info-hash is too. */
function attributesOf(file: BuildFile): string | undefined {
  const letters =
    (file.isPad ? 'p' : '') +
    (file.hidden ? 'h' : '') +
    (file.executable ? 'x' : '') +
    (file.symlinkTarget ? 'l' : '');
  return letters === '' ? undefined : letters;
}

/** A folder of the tree: members by the Latin-1 text of their names' bytes, so that equal names meet. */
type Folder = Map<string, Folder | BuildFile>;

function fileTree(files: readonly BuildFile[]): BencodeInput {
  const root: Folder = new Map();
  files.forEach((file, index) => {
    if (file.isPad) return;
    const names = file.path.map((name) => toLatin1(nameBytes(name)));
    const last = names.pop()!;
    let folder = root;
    for (const name of names) {
      let next = folder.get(name);
      if (next === undefined) {
        next = new Map();
        folder.set(name, next);
      }
      if (!(next instanceof Map)) throw refuse(`files[${index}].path`, 'it is inside of a file');
      folder = next;
    }
    if (folder.has(last)) throw refuse(`files[${index}].path`, 'there is another one of that path');
    folder.set(last, file);
  });
  return folderEntry(root);
}

/** Recursion is bounded by the depth of the caller's own paths, and by the encoder's limit. */
function folderEntry(folder: Folder): Map<Uint8Array, BencodeInput> {
  const entry = new Map<Uint8Array, BencodeInput>();
  for (const [name, member] of folder) {
    entry.set(
      fromLatin1(name),
      member instanceof Map ? folderEntry(member) : { '': treeEntry(member) },
    );
  }
  return entry;
}

function treeEntry(file: BuildFile): BencodeInput {
  const isLink = file.symlinkTarget !== undefined;
  return {
    attr: attributesOf(file),
    length: isLink ? undefined : file.length,
    'pieces root': file.length > 0 ? file.piecesRoot : undefined,
    'symlink path': file.symlinkTarget,
  };
}

function layers(pieceLayers: ReadonlyMap<string, Uint8Array>): Map<Uint8Array, Uint8Array> {
  const entry = new Map<Uint8Array, Uint8Array>();
  for (const [hex, layer] of pieceLayers) {
    const root = fromHex(hex);
    if (root?.length !== MERKLE_HASH_LENGTH || layer.length % MERKLE_HASH_LENGTH !== 0) {
      throw refuse(`pieceLayers[${hex}]`, 'roots and hashes have 32 bytes');
    }
    entry.set(root, layer);
  }
  return entry;
}

function encodeChecked(value: BencodeInput): Uint8Array {
  try {
    return encode(value);
  } catch (error) {
    if (!(error instanceof BencodeError)) throw error;
    throw new MetainfoError('invalid-argument', 'options', error.message, error);
  }
}

const encoder = /* @__PURE__ */ new TextEncoder();

export function nameBytes(name: NameInput): Uint8Array {
  return typeof name === 'string' ? encoder.encode(name) : name;
}

function comparePaths(a: readonly Uint8Array[], b: readonly Uint8Array[]): number {
  for (let depth = 0; depth < Math.min(a.length, b.length); depth++) {
    const order = compareBytes(a[depth]!, b[depth]!);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

function toLatin1(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

function fromLatin1(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function refuse(field: string, reason: string): MetainfoError {
  return new MetainfoError(
    'invalid-argument',
    field,
    `The torrent can't be built: ${field}: ${reason}.`,
  );
}
