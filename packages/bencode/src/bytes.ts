// Text and byte strings: strict UTF-8 both ways, and the orders and equalities that dictionary keys need.

const decoder = /* @__PURE__ */ new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = /* @__PURE__ */ new TextEncoder();

/** Up to this many bytes, building a string by hand is cheaper than a call of TextDecoder (measured). */
const SHORT_TEXT_BYTES = 32;

/** The text of `bytes[start, end)`, or undefined where it is not valid UTF-8. */
export function decodeText(bytes: Uint8Array, start: number, end: number): string | undefined {
  const ascii = end - start <= SHORT_TEXT_BYTES ? decodeAscii(bytes, start, end) : undefined;
  if (ascii !== undefined) return ascii;
  try {
    return decoder.decode(bytes.subarray(start, end));
  } catch {
    return undefined;
  }
}

/** One call of fromCharCode for eight characters costs about as much as a call for one, hence the unrolling. */
function decodeAscii(bytes: Uint8Array, start: number, end: number): string | undefined {
  let text = '';
  let at = start;
  for (; at + 8 <= end; at += 8) {
    const a = bytes[at] as number;
    const b = bytes[at + 1] as number;
    const c = bytes[at + 2] as number;
    const d = bytes[at + 3] as number;
    const e = bytes[at + 4] as number;
    const f = bytes[at + 5] as number;
    const g = bytes[at + 6] as number;
    const h = bytes[at + 7] as number;
    if ((a | b | c | d | e | f | g | h) >= 0x80) return undefined;
    text += String.fromCharCode(a, b, c, d, e, f, g, h);
  }
  if (at + 4 <= end) {
    const a = bytes[at] as number;
    const b = bytes[at + 1] as number;
    const c = bytes[at + 2] as number;
    const d = bytes[at + 3] as number;
    if ((a | b | c | d) >= 0x80) return undefined;
    text += String.fromCharCode(a, b, c, d);
    at += 4;
  }
  for (; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte >= 0x80) return undefined;
    text += String.fromCharCode(byte);
  }
  return text;
}

/** The UTF-8 bytes of `text`, or undefined where it holds a lone surrogate, which UTF-8 cannot express. */
export function encodeText(text: string): Uint8Array | undefined {
  return /[\ud800-\udfff]/u.test(text) ? undefined : encoder.encode(text);
}

/** Orders two byte strings as raw bytes, a prefix first: negative, zero or positive. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  return compareRanges(a, 0, a.length, b, 0, b.length);
}

/** As {@link compareBytes}, of `bytes[start, end)` and `other[otherStart, otherEnd)`. */
export function compareRanges(
  bytes: Uint8Array,
  start: number,
  end: number,
  other: Uint8Array,
  otherStart: number,
  otherEnd: number,
): number {
  const shared = Math.min(end - start, otherEnd - otherStart);
  for (let i = 0; i < shared; i++) {
    const difference = (bytes[start + i] as number) - (other[otherStart + i] as number);
    if (difference !== 0) return difference;
  }
  return end - start - (otherEnd - otherStart);
}

/** Orders two texts as their UTF-8 bytes would be ordered: by code point, which UTF-16 order is not. */
export function compareTexts(a: string, b: string): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const difference = a.charCodeAt(i) - b.charCodeAt(i);
    if (difference !== 0) return surrogatesLast(a.charCodeAt(i)) - surrogatesLast(b.charCodeAt(i));
  }
  return a.length - b.length;
}

/** Moves surrogates (code points from U+10000) behind U+E000 to U+FFFF. */
function surrogatesLast(unit: number): number {
  return unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit;
}
