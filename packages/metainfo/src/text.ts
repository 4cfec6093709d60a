// UTF-8, strict.

const strict = /* @__PURE__ */ new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The text of valid UTF-8; undefined for anything else. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  // Most names are short and ASCII: quicker by hand than by the decoder.
  if (bytes.length <= 64) {
    let text = '';
    let index = 0;
    for (; index < bytes.length && bytes[index]! < 128; index++) {
      text += String.fromCharCode(bytes[index]!);
    }
    if (index === bytes.length) return text;
  }
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}

/** The text of bytes that should be UTF-8; what is not becomes U+FFFD. */
export function decodeLossy(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
}

export function isUtf8(bytes: Uint8Array): boolean {
  return decodeUtf8(bytes) !== undefined;
}
