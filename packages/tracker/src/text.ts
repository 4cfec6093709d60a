// A stranger's text, made fit to be shown.
import { MAX_TEXT_CHARACTERS } from './limits.ts';

/**
 * Text of a tracker for people to read: invalid UTF-8 replaced; control characters, line breaks and marks that turn the
 * direction of writing become spaces; cut at 256 characters.
 */
export function readableText(bytes: Uint8Array): string {
  // Four bytes a character at most; a cut-off end becomes a replacement character.
  return new TextDecoder()
    .decode(bytes.subarray(0, 4 * MAX_TEXT_CHARACTERS))
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .slice(0, MAX_TEXT_CHARACTERS)
    .trim();
}
