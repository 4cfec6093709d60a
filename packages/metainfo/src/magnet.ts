// Magnet links both ways: BEP 9 (xt, dn, tr, x.pe), BEP 19 (ws), BEP 46 (xs=urn:btpk), BEP 52 (btmh), BEP 53 (so).
import { MetainfoError } from './errors.ts';
import { fromHex, toHex } from './hex.ts';
import { formatHostPort, parseHostPort } from './host-port.ts';
import type { HostPort, Metainfo } from './metainfo.ts';
import { printableText } from './path.ts';
import { decodeLossy } from './text.ts';
import { isTrackerUrl, isWebSeedUrl } from './url.ts';

/** Characters of a link; a longer one is refused. */
export const MAX_MAGNET_LENGTH = 256 * 1024;

/** Trackers, web seeds and peers that are kept of a link, each; further ones are ignored. */
export const MAX_MAGNET_VALUES = 200;

/** Ranges of file indices that are kept of a link; more are refused. */
export const MAX_MAGNET_RANGES = 10_000;

/** The salt of a key (BEP 44). */
export const MAX_MAGNET_SALT_BYTES = 64;

/** File indices from `first` to `last`, both included. */
export interface FileRange {
  readonly first: number;
  readonly last: number;
}

export interface Magnet {
  /** 20 bytes. */
  readonly infoHashV1?: Uint8Array;
  /** 32 bytes. */
  readonly infoHashV2?: Uint8Array;
  /** For display only. */
  readonly name?: string;
  /** The size that the link claims. */
  readonly lengthBytes?: number;
  readonly trackers: readonly string[];
  readonly webSeeds: readonly string[];
  readonly peers: readonly HostPort[];
  /** The files to download (BEP 53): ascending, without overlap. Absent: all. */
  readonly selectedFiles?: readonly FileRange[];
  /** 32 bytes, BEP 46: where the info-hash of the latest version is found in the DHT. */
  readonly publicKey?: Uint8Array;
  /** Of the key, 64 bytes at most; without one it means nothing, and is left out. */
  readonly salt?: Uint8Array;
}

/** What {@link formatMagnet} takes: an info-hash or a public key, and whatever else there is. */
export type MagnetInput = Partial<Magnet>;

/**
 * Reads a magnet link. Parameters that are not known, and trackers, web seeds and peers that can't be used, are ignored.
 * @throws MetainfoError `invalid-magnet`, with the parameter's name as its field: no usable `xt` or `xs`, a hash that is
 *   not exactly 40 hex digits or 32 base32 characters (v1) or `1220` and 64 hex digits (v2), two different hashes of
 *   a kind, a malformed `so`, a malformed `s` beside a public key; `limit-exceeded` for a link that is too long.
 */
export function parseMagnet(uri: string): Magnet {
  if (typeof uri !== 'string') {
    throw new MetainfoError('invalid-argument', 'uri', 'A magnet link has to be a string.');
  }
  if (uri.length > MAX_MAGNET_LENGTH) {
    throw new MetainfoError(
      'limit-exceeded',
      'uri',
      `The magnet link has more than ${MAX_MAGNET_LENGTH} characters.`,
    );
  }
  if (!/^magnet:\?/i.test(uri)) {
    throw new MetainfoError('invalid-magnet', 'uri', 'A magnet link begins with "magnet:?".');
  }
  let infoHashV1: Uint8Array | undefined;
  let infoHashV2: Uint8Array | undefined;
  let publicKey: Uint8Array | undefined;
  let saltHex: string | undefined;
  let name: string | undefined;
  let lengthBytes: number | undefined;
  let selectedFiles: readonly FileRange[] | undefined;
  const trackers = new Set<string>();
  const webSeeds = new Set<string>();
  const peers = new Map<string, HostPort>();

  for (const parameter of uri.slice('magnet:?'.length).split('&')) {
    const equals = parameter.indexOf('=');
    if (equals < 0) continue;
    // `tr.1=...&tr.2=...` is how some number what is given more than once.
    const key = parameter
      .slice(0, equals)
      .toLowerCase()
      .replace(/\.\d+$/, '');
    const value = parameter.slice(equals + 1);
    switch (key) {
      case 'xt': {
        const topic = decodeText(value);
        if (/^urn:btih:/i.test(topic)) infoHashV1 = sameHash(infoHashV1, readBtih(topic), 'xt');
        else if (/^urn:btmh:/i.test(topic))
          infoHashV2 = sameHash(infoHashV2, readBtmh(topic), 'xt');
        break;
      }
      case 'xs': {
        const source = decodeText(value);
        if (/^urn:btpk:/i.test(source)) publicKey = sameHash(publicKey, readBtpk(source), 'xs');
        break;
      }
      case 's':
        saltHex = decodeText(value);
        break;
      case 'dn':
        name ??= printableText(decodeBytes(value.replaceAll('+', ' '))).trim() || undefined;
        break;
      case 'xl':
        lengthBytes ??= readLength(decodeText(value));
        break;
      case 'tr':
        addTo(trackers, decodeText(value), isTrackerUrl);
        break;
      case 'ws':
        addTo(webSeeds, decodeText(value), isWebSeedUrl);
        break;
      case 'x.pe': {
        const peer = parseHostPort(decodeText(value));
        if (peer !== undefined && peers.size < MAX_MAGNET_VALUES) {
          peers.set(formatHostPort(peer), peer);
        }
        break;
      }
      case 'so':
        selectedFiles = readRanges(decodeText(value));
        break;
    }
  }
  if (infoHashV1 === undefined && infoHashV2 === undefined && publicKey === undefined) {
    throw new MetainfoError(
      'invalid-magnet',
      'xt',
      'The magnet link names no torrent: it needs xt=urn:btih:..., xt=urn:btmh:... or xs=urn:btpk:...',
    );
  }
  const salt = publicKey === undefined || saltHex === undefined ? undefined : readSalt(saltHex);
  return {
    ...(infoHashV1 === undefined ? {} : { infoHashV1 }),
    ...(infoHashV2 === undefined ? {} : { infoHashV2 }),
    ...(name === undefined ? {} : { name }),
    ...(lengthBytes === undefined ? {} : { lengthBytes }),
    trackers: [...trackers],
    webSeeds: [...webSeeds],
    peers: [...peers.values()],
    ...(selectedFiles === undefined ? {} : { selectedFiles }),
    ...(publicKey === undefined ? {} : { publicKey }),
    ...(salt === undefined ? {} : { salt }),
  };
}

/**
 * Writes a magnet link that {@link parseMagnet} reads back as it was given.
 * @throws MetainfoError `invalid-argument` when there is no hash or key, or one of a wrong length, or too long a salt.
 */
export function formatMagnet(magnet: MagnetInput): string {
  const { infoHashV1, infoHashV2, publicKey, salt } = magnet;
  checkLength(infoHashV1, 20, 'infoHashV1');
  checkLength(infoHashV2, 32, 'infoHashV2');
  checkLength(publicKey, 32, 'publicKey');
  const parameters: string[] = [];
  if (infoHashV1 !== undefined) parameters.push(`xt=urn:btih:${toHex(infoHashV1)}`);
  if (infoHashV2 !== undefined) parameters.push(`xt=urn:btmh:1220${toHex(infoHashV2)}`);
  if (publicKey !== undefined) {
    parameters.push(`xs=urn:btpk:${toHex(publicKey)}`);
    if (salt !== undefined) parameters.push(`s=${toHex(salt)}`);
  }
  if (parameters.length === 0) {
    throw new MetainfoError(
      'invalid-argument',
      'infoHashV1',
      'A magnet link needs an info-hash or a public key.',
    );
  }
  if (salt !== undefined && salt.length > MAX_MAGNET_SALT_BYTES) {
    throw new MetainfoError('invalid-argument', 'salt', 'A salt has 64 bytes at most.');
  }
  if (magnet.name !== undefined) parameters.push(`dn=${encodeText(magnet.name)}`);
  if (magnet.lengthBytes !== undefined) parameters.push(`xl=${magnet.lengthBytes}`);
  for (const url of magnet.trackers ?? []) parameters.push(`tr=${encodeText(url)}`);
  for (const url of magnet.webSeeds ?? []) parameters.push(`ws=${encodeText(url)}`);
  for (const peer of magnet.peers ?? []) parameters.push(`x.pe=${formatHostPort(peer)}`);
  if (magnet.selectedFiles !== undefined) {
    const ranges = magnet.selectedFiles.map(({ first, last }) =>
      first === last ? `${first}` : `${first}-${last}`,
    );
    parameters.push(`so=${ranges.join(',')}`);
  }
  return `magnet:?${parameters.join('&')}`;
}

/** Indices of the files that a link selects (BEP 53), of so many that there are; undefined for all. */
export function selectedFilesOf(
  { selectedFiles }: Pick<Magnet, 'selectedFiles'>,
  fileCount: number,
): number[] | undefined {
  if (selectedFiles === undefined) return undefined;
  const indices: number[] = [];
  for (const { first, last } of selectedFiles) {
    for (let index = first; index <= last && index < fileCount; index++) indices.push(index);
  }
  return indices;
}

/** The magnet link's facts of a torrent: hashes, name, size, all trackers, web seeds. */
export function magnetOf({ info, announceTiers, webSeeds }: Metainfo): Magnet {
  return {
    ...(info.infoHashV1 === undefined ? {} : { infoHashV1: info.infoHashV1 }),
    ...(info.infoHashV2 === undefined ? {} : { infoHashV2: info.infoHashV2 }),
    name: info.name,
    lengthBytes: info.files.contentLength,
    trackers: announceTiers.flat(),
    webSeeds,
    peers: [],
  };
}

function readBtih(topic: string): Uint8Array {
  const text = topic.slice('urn:btih:'.length);
  const hash = /^[0-9a-f]{40}$/i.test(text) ? fromHex(text) : fromBase32(text);
  if (hash !== undefined) return hash;
  throw new MetainfoError(
    'invalid-magnet',
    'xt',
    'The magnet link has an info-hash (urn:btih:) that is not 40 hex digits or 32 base32 characters.',
  );
}

function readBtmh(topic: string): Uint8Array {
  const text = topic.slice('urn:btmh:'.length);
  // A multihash: 0x12 is SHA-256, 0x20 its length.
  const hash = /^1220[0-9a-f]{64}$/i.test(text) ? fromHex(text.slice(4)) : undefined;
  if (hash !== undefined) return hash;
  throw new MetainfoError(
    'invalid-magnet',
    'xt',
    'The magnet link has a v2 info-hash (urn:btmh:) that is not 1220 and 64 hex digits.',
  );
}

function readBtpk(source: string): Uint8Array {
  const key = fromHex(source.slice('urn:btpk:'.length));
  if (key?.length === 32) return key;
  throw new MetainfoError(
    'invalid-magnet',
    'xs',
    'The magnet link has a public key (urn:btpk:) that is not 64 hex digits.',
  );
}

function readSalt(hex: string): Uint8Array {
  const salt = fromHex(hex);
  if (salt !== undefined && salt.length <= MAX_MAGNET_SALT_BYTES) return salt;
  throw new MetainfoError(
    'invalid-magnet',
    's',
    `The magnet link has a salt (s=) that is not hex digits for ${MAX_MAGNET_SALT_BYTES} bytes or fewer.`,
  );
}

function sameHash(known: Uint8Array | undefined, hash: Uint8Array, field: string): Uint8Array {
  if (known !== undefined && toHex(known) !== toHex(hash)) {
    throw new MetainfoError(
      'invalid-magnet',
      field,
      'The magnet link names two different torrents.',
    );
  }
  return hash;
}

function readLength(text: string): number | undefined {
  const length = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(length) ? length : undefined;
}

function readRanges(text: string): readonly FileRange[] {
  const ranges: FileRange[] = [];
  for (const part of text.split(',', MAX_MAGNET_RANGES + 1)) {
    const match = /^(\d{1,10})(?:-(\d{1,10}))?$/.exec(part);
    const first = Number(match?.[1]);
    const last = Number(match?.[2] ?? match?.[1]);
    // Negated so that NaN fails too.
    if (!(first <= last && last < 2 ** 31) || ranges.length === MAX_MAGNET_RANGES) {
      throw new MetainfoError(
        'invalid-magnet',
        'so',
        'The magnet link selects files (so=) with something else than indices and ranges such as 0,2,4-6.',
      );
    }
    ranges.push({ first, last });
  }
  ranges.sort((a, b) => a.first - b.first);
  const merged: FileRange[] = [];
  for (const range of ranges) {
    const before = merged.at(-1);
    if (before !== undefined && range.first <= before.last + 1) {
      merged[merged.length - 1] = {
        first: before.first,
        last: Math.max(before.last, range.last),
      };
    } else {
      merged.push(range);
    }
  }
  return merged;
}

function addTo(set: Set<string>, text: string, isUsable: (text: string) => boolean): void {
  if (set.size < MAX_MAGNET_VALUES && isUsable(text)) set.add(text);
}

function checkLength(bytes: Uint8Array | undefined, length: number, field: string): void {
  if (bytes !== undefined && bytes.length !== length) {
    throw new MetainfoError('invalid-argument', field, `${field} must have ${length} bytes.`);
  }
}

/** RFC 4648 base32 of 20 bytes: 32 characters, either case, no padding. */
function fromBase32(text: string): Uint8Array | undefined {
  if (!/^[a-z2-7]{32}$/i.test(text)) return undefined;
  const bytes = new Uint8Array(20);
  let bits = 0;
  let value = 0;
  let length = 0;
  for (const character of text.toUpperCase()) {
    value = ((value & 0xff) << 5) | 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(character);
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes[length++] = value >>> bits;
    }
  }
  return bytes;
}

/** Percent-decoding that can't fail: a `%` without two hex digits stands for itself. */
function decodeBytes(text: string): Uint8Array {
  const bytes = new TextEncoder().encode(text);
  let length = 0;
  for (let index = 0; index < bytes.length; index++) {
    const high = hexDigit(bytes[index + 1]);
    const low = hexDigit(bytes[index + 2]);
    if (bytes[index] === 0x25 && high >= 0 && low >= 0) {
      bytes[length++] = high * 16 + low;
      index += 2;
    } else {
      bytes[length++] = bytes[index]!;
    }
  }
  return bytes.subarray(0, length);
}

function decodeText(text: string): string {
  return decodeLossy(decodeBytes(text));
}

function hexDigit(byte: number | undefined): number {
  if (byte === undefined) return -1;
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

/** All but unreserved characters (RFC 3986 section 2.3) and what is plain in a query percent-encoded. */
function encodeText(text: string): string {
  let encoded = '';
  for (const byte of new TextEncoder().encode(text)) {
    const character = String.fromCharCode(byte);
    encoded += /[A-Za-z0-9._~-]/.test(character)
      ? character
      : `%${toHex(Uint8Array.of(byte)).toUpperCase()}`;
  }
  return encoded;
}
