// Text of strangers, made fit to be shown: what a terminal would obey, and what turns text around or hides in it, is shown as its number.

/**
 * Escaped: controls (C0, DEL, C1), what changes the direction of text (U+061C, U+200E/F, U+202A-E, U+2066-9), line and paragraph separators,
 * invisible operators and the byte order mark, tags (U+E0000-7F), noncharacters and halves of surrogate pairs.
 */
const ESCAPED =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  /[\u0000-\u001f\u007f-\u009f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff\u{e0000}-\u{e007f}]|\p{Surrogate}|\p{Noncharacter_Code_Point}/gu;

/** One line, in which nothing moves the cursor, changes colours or reads backwards. A tab becomes a space. */
export function printableText(text: string): string {
  return text.replaceAll('\t', ' ').replace(ESCAPED, numberOf);
}

/** The same for text of several lines; each comes alone. */
export function printableLines(text: string): string[] {
  return text.split(/\r\n|\r|\n/).map(printableText);
}

function numberOf(character: string): string {
  const code = character.codePointAt(0)!;
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
}
