// Typed access to the fields of a stranger's dictionary: each failure is a MetainfoError that names the field.
import type { BencodeDict, BencodeList } from '@bt/bencode';
import { MetainfoError, type MetainfoErrorCode } from './errors.ts';
import { decodeLossy } from './text.ts';

/** Where a dictionary stands, for error messages: `info`, `info.files[3]`. */
export type FieldPath = string;

/** @param tooLarge What an integer is that a number can't hold. */
export function requireInteger(
  dict: BencodeDict,
  key: string,
  at: FieldPath,
  tooLarge: MetainfoErrorCode,
): number {
  const value = dict.integer(key);
  if (value !== undefined) return value;
  if (dict.bigint(key) !== undefined) {
    const field = `${at}.${key}`;
    throw new MetainfoError(tooLarge, field, `The number in ${field} is beyond 2^53 - 1.`);
  }
  throw missingOrWrong(dict, key, at, 'an integer');
}

export function requireBytes(dict: BencodeDict, key: string, at: FieldPath): Uint8Array {
  return dict.bytes(key) ?? fail(missingOrWrong(dict, key, at, 'a string'));
}

export function requireList(dict: BencodeDict, key: string, at: FieldPath): BencodeList {
  return dict.list(key) ?? fail(missingOrWrong(dict, key, at, 'a list'));
}

export function requireDict(dict: BencodeDict, key: string, at: FieldPath): BencodeDict {
  return dict.dict(key) ?? fail(missingOrWrong(dict, key, at, 'a dictionary'));
}

/** A file's length: an integer from 0 to 2^53 - 1. */
export function requireLength(dict: BencodeDict, at: FieldPath): number {
  const length = requireInteger(dict, 'length', at, 'invalid-length');
  if (length >= 0) return length;
  throw new MetainfoError(
    'invalid-length',
    `${at}.length`,
    `The length in ${at}.length is negative.`,
  );
}

/** Text of people: invalid UTF-8 is replaced. Undefined for anything but a string. */
export function optionalText(dict: BencodeDict, key: string): string | undefined {
  const bytes = dict.bytes(key);
  return bytes === undefined ? undefined : decodeLossy(bytes);
}

function missingOrWrong(dict: BencodeDict, key: string, at: FieldPath, expected: string) {
  const field = `${at}.${key}`;
  return dict.has(key)
    ? new MetainfoError('wrong-type', field, `The field ${field} is not ${expected}.`)
    : new MetainfoError('missing-field', field, `The field ${field} is missing.`);
}

function fail(error: MetainfoError): never {
  throw error;
}
