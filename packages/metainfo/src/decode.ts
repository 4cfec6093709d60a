// Bencode of a stranger, with this package's errors and limits.
import { BencodeDict, BencodeError, BencodeList, type BencodeValue, decodeDict } from '@bt/bencode';
import { MetainfoError } from './errors.ts';
import { toHex } from './hex.ts';

export interface DecodeLimits {
  readonly maxBytes: number;
  readonly maxItems: number;
  readonly lenient: boolean;
}

/**
 * A dictionary that is the whole input. Keys out of order are taken in v1, where BEP 3 asks for order but real files and
 * all clients ignore it; repeated keys never, since two clients could read two torrents.
 * @param name What it is, for messages and as the error's field.
 */
export function decodeInput(bytes: Uint8Array, name: string, limits: DecodeLimits): BencodeDict {
  if (!(bytes instanceof Uint8Array)) {
    throw new MetainfoError('invalid-argument', name, `The ${name} has to be a Uint8Array.`);
  }
  // Views are made of it, and views of a Buffer would be Buffers.
  const input =
    bytes.constructor === Uint8Array
      ? bytes
      : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  try {
    return decodeDict(input, limits);
  } catch (error) {
    const unsorted =
      error instanceof BencodeError && error.code === 'unsorted-keys'
        ? decodeUnsorted(input, limits)
        : undefined;
    if (unsorted !== undefined) return unsorted;
    throw refusal(error, name);
  }
}

/** Undefined when it is unsound in another way too, or v2, where the order of keys is the order of files. */
function decodeUnsorted(input: Uint8Array, limits: DecodeLimits): BencodeDict | undefined {
  try {
    const dict = decodeDict(input, { ...limits, lenient: true });
    const info = dict.dict('info') ?? dict;
    return info.has('meta version') || hasRepeatedKey(dict) ? undefined : dict;
  } catch (error) {
    if (error instanceof BencodeError) return undefined;
    throw error;
  }
}

/** Goes down before it goes on, so that only as many iterators wait as the document is deep. */
function hasRepeatedKey(root: BencodeDict): boolean {
  const open: Iterator<BencodeValue>[] = [[root].values()];
  for (let values = open.at(-1); values !== undefined; values = open.at(-1)) {
    const { done, value } = values.next();
    if (done) {
      open.pop();
    } else if (value instanceof BencodeList) {
      open.push(value[Symbol.iterator]());
    } else if (value instanceof BencodeDict) {
      const keys = new Set<string>();
      for (const key of value.keys()) keys.add(toHex(key));
      if (keys.size !== value.size) return true;
      open.push(valuesOf(value));
    }
  }
  return false;
}

function* valuesOf(dict: BencodeDict): IterableIterator<BencodeValue> {
  for (const [, value] of dict) yield value;
}

function refusal(error: unknown, name: string): unknown {
  if (!(error instanceof BencodeError)) return error;
  const isLimit = error.code === 'too-long' || error.code === 'too-many-items';
  return new MetainfoError(
    isLimit ? 'limit-exceeded' : 'invalid-bencode',
    name,
    `The ${name} is not valid bencode: ${error.message}.`,
    error,
  );
}
