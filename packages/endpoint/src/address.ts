// IP addresses as text and as bytes: strict parsing (RFC 4291 section 2.2, IPv4 in four plain decimals) and printing
// (RFC 5952 section 4). An IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2) counts as the IPv4 address it carries.
import { EndpointError } from './errors.ts';

export type AddressFamily = 4 | 6;

/**
 * Parses an address into 4 or 16 bytes in network order; `undefined` for anything that is not one. Strict: no leading
 * zeros and no short forms in IPv4, no brackets, no zone ids, no spaces. `::ffff:1.2.3.4` gives the 4 bytes of 1.2.3.4.
 */
export function parseAddress(text: string): Uint8Array<ArrayBuffer> | undefined {
  const length = parseAddressInto(text, scratch, 0);
  return length === 0 ? undefined : scratch.slice(0, length);
}

/**
 * Prints 4 or 16 bytes canonically: IPv6 in the form of RFC 5952, without brackets; IPv4-mapped as plain IPv4.
 *
 * @throws {EndpointError} `invalid-address` for another length.
 */
export function printAddress(bytes: Uint8Array): string {
  return printAddressAt(bytes, 0, familyOfLength(bytes.length));
}

/**
 * The family of an address (mapped ones are family 4); `undefined` when it is none. Bytes are judged by their length,
 * and by the prefix of mapped addresses.
 */
export function addressFamily(address: string | Uint8Array): AddressFamily | undefined {
  if (typeof address === 'string') {
    const length = parseAddressInto(address, scratch, 0);
    return length === 0 ? undefined : length === 4 ? 4 : 6;
  }
  if (address.length === 4) return 4;
  if (address.length !== 16) return undefined;
  return isMappedAt(address, 0) ? 4 : 6;
}

/**
 * Parses `text` into `target` at `offset` without allocating, and returns how many bytes it wrote: 4, 16, or 0 when the
 * text is no address. `target` needs 16 bytes of room; what they hold after a 0 or 4 is not defined.
 */
export function parseAddressInto(text: string, target: Uint8Array, offset: number): 0 | 4 | 16 {
  if (text.indexOf(':') < 0) return parseIpv4(text, 0, target, offset) ? 4 : 0;
  if (!parseIpv6(text, target, offset)) return 0;
  if (!isMappedAt(target, offset)) return 16;
  target.copyWithin(offset, offset + 12, offset + 16);
  return 4;
}

/** Prints the 4 or 16 bytes of `bytes` at `offset`. The caller answers for the bounds. */
export function printAddressAt(bytes: Uint8Array, offset: number, family: AddressFamily): string {
  if (family === 4) return printIpv4(bytes, offset);
  if (isMappedAt(bytes, offset)) return printIpv4(bytes, offset + 12);
  return printIpv6(bytes, offset);
}

/** Whether the 16 bytes at `offset` are an IPv4-mapped address, ::ffff:0:0/96. */
export function isMappedAt(bytes: Uint8Array, offset: number): boolean {
  for (let i = 0; i < 10; i++) if (bytes[offset + i] !== 0) return false;
  return bytes[offset + 10] === 0xff && bytes[offset + 11] === 0xff;
}

/** @throws {EndpointError} `invalid-address` when an address can't have this length. */
export function familyOfLength(lengthBytes: number): AddressFamily {
  if (lengthBytes === 4) return 4;
  if (lengthBytes === 16) return 6;
  throw new EndpointError('invalid-address', `an address has 4 or 16 bytes, not ${lengthBytes}`);
}

/** Room for one address. Nothing here calls back, so that a shared one is safe. */
const scratch = new Uint8Array(16);

function parseIpv4(text: string, start: number, target: Uint8Array, offset: number): boolean {
  const end = text.length;
  let at = start;
  for (let octet = 0; octet < 4; octet++) {
    if (octet > 0 && text.charCodeAt(at++) !== 0x2e) return false;
    const first = at;
    let value = 0;
    while (at < end) {
      const digit = text.charCodeAt(at) - 0x30;
      if (digit < 0 || digit > 9) break;
      // A leading zero is refused: some parsers read it as octal.
      if (at > first && value === 0) return false;
      value = value * 10 + digit;
      if (value > 255) return false;
      at++;
    }
    if (at === first) return false;
    target[offset + octet] = value;
  }
  return at === end;
}

function parseIpv6(text: string, target: Uint8Array, offset: number): boolean {
  const end = text.length;
  let at = 0;
  let written = 0;
  let gap = -1;
  if (text.charCodeAt(0) === 0x3a) {
    if (text.charCodeAt(1) !== 0x3a) return false;
    at = 2;
    gap = 0;
  }
  while (at < end) {
    if (written === 16) return false;
    const first = at;
    let value = 0;
    let digit = hexDigit(text.charCodeAt(at));
    while (digit >= 0) {
      if (at - first === 4) return false;
      value = value * 16 + digit;
      digit = hexDigit(text.charCodeAt(++at));
    }
    if (at < end && text.charCodeAt(at) === 0x2e) {
      if (written > 12 || !parseIpv4(text, first, target, offset + written)) return false;
      written += 4;
      at = end;
      break;
    }
    if (at === first) return false;
    target[offset + written] = value >>> 8;
    target[offset + written + 1] = value & 0xff;
    written += 2;
    if (at === end) break;
    if (text.charCodeAt(at++) !== 0x3a) return false;
    if (text.charCodeAt(at) === 0x3a) {
      if (gap >= 0) return false;
      gap = written;
      at++;
    } else if (at === end) {
      return false;
    }
  }
  if (gap < 0) return written === 16;
  // The `::` stands for one group of zeros at least (RFC 4291 section 2.2).
  if (written === 16) return false;
  const moved = written - gap;
  target.copyWithin(offset + 16 - moved, offset + gap, offset + written);
  target.fill(0, offset + gap, offset + 16 - moved);
  return true;
}

/** The value of a hexadecimal digit, or -1 (for NaN, past the end, too). */
function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  if (code >= 0x61 && code <= 0x66) return code - 0x57;
  if (code >= 0x41 && code <= 0x46) return code - 0x37;
  return -1;
}

function printIpv4(bytes: Uint8Array, offset: number): string {
  return `${bytes[offset]}.${bytes[offset + 1]}.${bytes[offset + 2]}.${bytes[offset + 3]}`;
}

function printIpv6(bytes: Uint8Array, offset: number): string {
  // RFC 5952 section 4.2: the longest run of two or more zero groups is shortened, the first of equals.
  let runStart = -1;
  let runLength = 1;
  for (let i = 0; i < 8; i++) {
    let length = 0;
    while (i + length < 8 && groupAt(bytes, offset, i + length) === 0) length++;
    if (length > runLength) {
      runStart = i;
      runLength = length;
    }
    i += length;
  }
  let text = '';
  for (let i = 0; i < 8; i++) {
    if (i === runStart) {
      text += '::';
      i += runLength - 1;
      continue;
    }
    if (i > 0 && i !== runStart + runLength) text += ':';
    text += groupAt(bytes, offset, i).toString(16);
  }
  return text;
}

function groupAt(bytes: Uint8Array, offset: number, index: number): number {
  return (bytes[offset + 2 * index]! << 8) | bytes[offset + 2 * index + 1]!;
}
