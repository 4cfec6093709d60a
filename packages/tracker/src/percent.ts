// Percent-encoding of exact bytes (RFC 3986 section 2.1): an info-hash in a query is bytes, not text.

/** Every byte but RFC 3986's unreserved characters as `%XX`. */
export function percentEncode(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += ENCODED[byte]!;
  return text;
}

/**
 * The bytes that a component of a URL stands for; `+` is itself. `undefined` for a broken `%` or a character outside
 * ASCII, which no URL holds.
 */
export function percentDecode(text: string): Uint8Array<ArrayBuffer> | undefined {
  const bytes = new Uint8Array(text.length);
  let length = 0;
  for (let at = 0; at < text.length; at++) {
    let byte = text.charCodeAt(at);
    if (byte > 0x7f) return undefined;
    if (byte === 0x25) {
      const digits = text.slice(at + 1, at + 3);
      if (!/^[0-9A-Fa-f]{2}$/.test(digits)) return undefined;
      byte = Number.parseInt(digits, 16);
      at += 2;
    }
    bytes[length++] = byte;
  }
  return bytes.slice(0, length);
}

/** `ENCODED[byte]` is how a byte stands in a query. */
const ENCODED: readonly string[] = /* @__PURE__ */ Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte);
  if (/[A-Za-z0-9._~-]/.test(character)) return character;
  return `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
});
