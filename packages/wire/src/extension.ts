// The extension protocol's handshake (BEP 10), with the fields of BEP 9 (`metadata_size`), BEP 11 (`e`) and BEP 21 (`upload_only`).
//
// Both sides give ids to the messages that they want to receive: we send under the remote's ids, and receive under ours. Fields
// of a wrong type or an impossible value are as if they were absent; only what is no dictionary is an error.
import { type BencodeDict, BencodeError, type BencodeInput, decodeDict, encode } from '@bt/bencode';
import { isPort, parseAddress, printAddress } from '@bt/endpoint';
import { WireError } from './errors.ts';

/** Names of the extension messages that this package knows. */
export const EXTENSION_NAME = {
  /** BEP 9 */
  metadata: 'ut_metadata',
  /** BEP 11 */
  pex: 'ut_pex',
  /** BEP 21 as libtorrent extends it: one byte, sent when the state changes. */
  uploadOnly: 'upload_only',
} as const;

/** A remote that says its info dictionary is larger is not believed (BEP 9; the largest in use have a few MiB). */
export const MAX_METADATA_LENGTH = 16_777_216;

/** What an extended handshake says. Absent: not said, or nonsense. */
export interface ExtendedHandshake {
  /** `m`: the ids of the messages that the sender takes; 0 ends one. A later handshake adds to an earlier one. */
  readonly messages: ReadonlyMap<string, number>;
  /** `v`: name and version of the client, without control characters. */
  readonly client?: string;
  /** `p`: the TCP port that the sender listens on. */
  readonly listenPort?: number;
  /** `reqq`: open requests that the sender keeps without dropping any. */
  readonly requestQueue?: number;
  /** `yourip`: the address that the sender sees the receiver under. */
  readonly yourAddress?: string;
  /** `ipv4`: an IPv4 address of the sender. */
  readonly ipv4Address?: string;
  /** `ipv6`: an IPv6 address of the sender. */
  readonly ipv6Address?: string;
  /** `metadata_size`: bytes of the info dictionary; at most {@link MAX_METADATA_LENGTH}. */
  readonly metadataLength?: number;
  /** `upload_only`: the sender wants no more pieces. */
  readonly uploadOnly?: boolean;
  /** `e`: the sender prefers encrypted connections. */
  readonly prefersEncryption?: boolean;
}

/**
 * The payload of an extended handshake.
 *
 * @throws {WireError} `invalid-argument` (local) for an id over 255, an address or number that can't be sent.
 */
export function encodeExtendedHandshake(handshake: ExtendedHandshake): Uint8Array<ArrayBuffer> {
  const flag = (value: boolean | undefined) => (value === undefined ? undefined : Number(value));
  const dictionary: { readonly [key: string]: BencodeInput | undefined } = {
    e: flag(handshake.prefersEncryption),
    ipv4: addressBytes(handshake.ipv4Address, 4),
    ipv6: addressBytes(handshake.ipv6Address, 16),
    m: handshake.messages,
    metadata_size: handshake.metadataLength,
    p: handshake.listenPort,
    reqq: handshake.requestQueue,
    upload_only: flag(handshake.uploadOnly),
    v: handshake.client,
    yourip: addressBytes(handshake.yourAddress),
  };
  const { listenPort } = handshake;
  if (listenPort !== undefined && !isPort(listenPort)) throw invalid(`not a port: ${listenPort}`);
  for (const id of handshake.messages.values()) {
    if (!isExtendedId(id)) throw invalid(`not an extended id: ${id}`);
  }
  try {
    return encode(dictionary);
  } catch (cause) {
    throw invalid('the extended handshake does not encode', cause);
  }
}

/**
 * Decodes the payload of an extended handshake. The result keeps nothing of `payload`.
 *
 * @throws {WireError} `bad-extended` (remote) when it is no bencoded dictionary.
 */
export function decodeExtendedHandshake(payload: Uint8Array): ExtendedHandshake {
  const dictionary = decodeExtended(payload);
  const metadataLength = positive(dictionary.integer('metadata_size'));
  const listenPort = positive(dictionary.integer('p'));
  return withoutAbsent({
    messages: readMessages(dictionary.dict('m')),
    client: readClient(dictionary),
    listenPort: listenPort !== undefined && isPort(listenPort) ? listenPort : undefined,
    requestQueue: positive(dictionary.integer('reqq')),
    yourAddress: readAddress(dictionary.bytes('yourip')),
    ipv4Address: readAddress(dictionary.bytes('ipv4'), 4),
    ipv6Address: readAddress(dictionary.bytes('ipv6'), 16),
    metadataLength:
      metadataLength !== undefined && metadataLength <= MAX_METADATA_LENGTH
        ? metadataLength
        : undefined,
    uploadOnly: readFlag(dictionary, 'upload_only'),
    prefersEncryption: readFlag(dictionary, 'e'),
  });
}

/** Decodes the payload of an `upload_only` message: `undefined` when it is not one byte. */
export function decodeUploadOnly(payload: Uint8Array): boolean | undefined {
  return payload.length === 1 ? payload[0] !== 0 : undefined;
}

/** The ids under which the remote takes messages, over all of its handshakes (BEP 10: they add up). */
export class RemoteExtensions {
  readonly #ids = new Map<string, number>();

  /** Takes over what a handshake says; id 0 ends an extension. Names beyond the limit are ignored. */
  apply(handshake: ExtendedHandshake): void {
    for (const [name, id] of handshake.messages) {
      if (id === 0) this.#ids.delete(name);
      else if (this.#ids.size < MAX_MESSAGES || this.#ids.has(name)) this.#ids.set(name, id);
    }
  }

  /** The id to send a message under; `undefined` when the remote does not take it. */
  idOf(name: string): number | undefined {
    return this.#ids.get(name);
  }
}

/** There are 255 ids; names beyond as many share them, and we know three. */
const MAX_MESSAGES = 255;

/** Longer names of extensions are none of ours, and not kept. */
const MAX_NAME_LENGTH = 64;

/** Bytes of a client's name that are kept. */
const MAX_CLIENT_LENGTH = 128;

/** Deep enough for every known extension; an honest handshake has two levels. */
export const DECODE_LIMITS = { lenient: true, maxDepth: 16, maxItems: 4_096 } as const;

/** Decodes a dictionary of a remote that may be sloppy about the order of keys. */
export function decodeExtended(payload: Uint8Array): BencodeDict {
  try {
    return decodeDict(payload, DECODE_LIMITS);
  } catch (cause) {
    throw badExtended(cause);
  }
}

export function badExtended(cause: unknown): WireError {
  const reason = cause instanceof BencodeError ? cause.message : String(cause);
  return new WireError('bad-extended', 'remote', `an extended message: ${reason}`, { cause });
}

function invalid(message: string, cause?: unknown): WireError {
  return new WireError('invalid-argument', 'local', message, { cause });
}

function isExtendedId(id: number): boolean {
  return Number.isInteger(id) && id >= 0 && id <= 255;
}

function addressBytes(address: string | undefined, length?: number): Uint8Array | undefined {
  if (address === undefined) return undefined;
  const bytes = parseAddress(address);
  if (bytes === undefined || (length !== undefined && bytes.length !== length)) {
    throw invalid(`not an address of this family: ${address}`);
  }
  return bytes;
}

function readMessages(dictionary: BencodeDict | undefined): Map<string, number> {
  const messages = new Map<string, number>();
  for (const [key, id] of dictionary ?? []) {
    if (messages.size === MAX_MESSAGES) break;
    if (typeof id !== 'number' || !isExtendedId(id) || key.length > MAX_NAME_LENGTH) continue;
    const name = utf8(key);
    if (name !== undefined) messages.set(name, id);
  }
  return messages;
}

function readClient(dictionary: BencodeDict): string | undefined {
  const bytes = dictionary.bytes('v');
  if (bytes === undefined || bytes.length === 0) return undefined;
  const text = new TextDecoder().decode(bytes.subarray(0, MAX_CLIENT_LENGTH));
  // Control and format characters could turn a terminal's text around or clear it; the cut may have left half a character.
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]|\uFFFD+$/gu, '');
}

function readAddress(bytes: Uint8Array | undefined, length?: number): string | undefined {
  if (bytes === undefined || (bytes.length !== 4 && bytes.length !== 16)) return undefined;
  return length === undefined || bytes.length === length ? printAddress(bytes) : undefined;
}

function readFlag(dictionary: BencodeDict, key: string): boolean | undefined {
  const value = dictionary.integer(key);
  return value === undefined ? undefined : value !== 0;
}

function positive(value: number | undefined): number | undefined {
  return value !== undefined && value > 0 ? value : undefined;
}

/** `undefined` for bytes that are no UTF-8: nobody can mean such a name, and two of them must not become one. */
function utf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

type Defined<T> = { [name in keyof T]: Exclude<T[name], undefined> };

function withoutAbsent<T extends object>(fields: T): Defined<T> {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as Defined<T>;
}
