// Makes one path component of a stranger safe to be a file name on any system, or refuses it. The rules are the README's
// section "Paths". A path is always a list of components, never a joined string.
import { MetainfoError } from './errors.ts';
import { decodeLossy, decodeUtf8 } from './text.ts';

/** What most file systems allow for one name. */
const MAX_COMPONENT_BYTES = 255;

/** Folders within folders; libtorrent's limit too. */
export const MAX_PATH_DEPTH = 100;

/** How many {@link PathWarning}s a torrent keeps. */
export const MAX_PATH_WARNINGS = 1000;

/** Why a name was changed. */
export type PathReason =
  /** Bytes that are not UTF-8 became U+FFFD. */
  | 'not-utf-8'
  /** Control characters and marks that change the writing direction were removed. */
  | 'control-character'
  /** `/`, `\` or a character that means something to the system became `_`. */
  | 'reserved-character'
  /** A dot or space at the end, which Windows drops, became `_`. */
  | 'trailing-dot-or-space'
  /** A device name of Windows such as `CON` got a `_` before it. */
  | 'reserved-name'
  /** More than 255 bytes: cut before its extension. */
  | 'too-long'
  /** Another file or folder has that path, perhaps in other letter case: a number was put before its extension. */
  | 'collision';

export interface PathWarning {
  /** Undefined for the torrent's name. */
  readonly fileIndex?: number;
  readonly reasons: readonly PathReason[];
  /** The path as it was, below the torrent's safe name, for people: joined with `/`, control characters escaped. */
  readonly original: string;
  /** The path as it is used, joined with `/`. */
  readonly renamed: string;
}

export interface PathRules {
  /** Also replaces `<>"|?*`, which Windows can't store. Default false. */
  readonly windowsNames?: boolean | undefined;
}

// Control characters, line separators; bidi marks, embeddings, overrides and isolates; the byte-order mark. Joiners (U+200C, U+200D) are honest letters' parts.
const REMOVED =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069\ufeff]/g;
const RESERVED_CHARACTER = /[/\\:]/g;
const WINDOWS_CHARACTER = /[<>"|?*]/g;
const RESERVED_NAME =
  /^(?:con|prn|aux|nul|clock\$|conin\$|conout\$|(?:com|lpt)[0-9¹²³]) *(?:\.|$)/i;
const TRAILING = /[. ]+$/;
/** `/...`, `\...` with something behind it, `C:\` or `C:/`. */
const ABSOLUTE = /^(?:\/|\\.|[A-Za-z]:[/\\])/s;
const EXTENSION = /(?!^)\.[^. ]{1,16}$/;
/** Nothing to look at closer: letters, digits and some punctuation, not beginning like a device's name. */
const PLAIN =
  /^(?![ACLNPaclnp][OoRrUuLlPp][NnMmXxLlTtOo])[A-Za-z0-9 _()[\]{}!#$%&'+,;=@^`~.-]*[A-Za-z0-9_)\]-]$/;

const encoder = /* @__PURE__ */ new TextEncoder();

/**
 * The safe form of one path component.
 * @param field What the component belongs to, for an error.
 * @param reasons What was changed is added here.
 * @throws MetainfoError `unsafe-path` for an empty, absolute, `..` or NUL component.
 */
export function safeComponent(
  bytes: Uint8Array,
  field: () => string,
  reasons: Set<PathReason>,
  rules: PathRules = {},
): string {
  const strict = decodeUtf8(bytes);
  if (strict === undefined) reasons.add('not-utf-8');
  const text = strict ?? decodeLossy(bytes);
  if (text.length <= 200 && PLAIN.test(text)) return text;
  refuseUnsafe(text, field);
  let name = text.replace(REMOVED, '');
  if (name !== text) {
    reasons.add('control-character');
    refuseUnsafe(name === '' ? '_' : name, field);
  }
  const plain = name.replace(RESERVED_CHARACTER, '_');
  const portable = rules.windowsNames ? plain.replace(WINDOWS_CHARACTER, '_') : plain;
  if (portable !== name) reasons.add('reserved-character');
  name = portable === '' ? '_' : portable;
  if (RESERVED_NAME.test(name)) {
    reasons.add('reserved-name');
    name = `_${name}`;
  }
  if (name.length * 3 > MAX_COMPONENT_BYTES && byteLength(name) > MAX_COMPONENT_BYTES) {
    reasons.add('too-long');
    const extension = EXTENSION.exec(name)?.[0] ?? '';
    const stem = name.slice(0, name.length - extension.length);
    name = cut(stem, MAX_COMPONENT_BYTES - byteLength(extension)) + extension;
  }
  if (TRAILING.test(name)) {
    reasons.add('trailing-dot-or-space');
    name = name.replace(TRAILING, (tail) => '_'.repeat(tail.length));
  }
  return name;
}

/**
 * A name that leaves room for a number before its extension, and how to put it in: `photo.jpg` gives `photo.1.jpg`.
 * The room is the same for every number, so that trying numbers in turn never tries a name twice.
 */
export function numberedName(name: string): { readonly key: string; at(number: number): string } {
  const extension = EXTENSION.exec(name)?.[0] ?? '';
  const stem = cut(
    name.slice(0, name.length - extension.length),
    MAX_COMPONENT_BYTES - byteLength(extension) - 9,
  );
  return { key: stem + extension, at: (number) => `${stem}.${number}${extension}` };
}

/** What is the same name for a system that ignores case and the form of accents. */
export function foldName(name: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the range of ASCII
  if (/^[\u0000-\u007f]*$/.test(name)) return name.toUpperCase();
  return name.normalize('NFC').toLowerCase().toUpperCase().normalize('NFC');
}

/** Text that can be shown: invalid UTF-8 replaced, control characters and direction marks escaped, at most 200 characters. */
export function printableText(bytes: Uint8Array): string {
  const text = decodeLossy(bytes.length > 800 ? bytes.subarray(0, 800) : bytes);
  const shown = text.length > 200 ? `${text.slice(0, 200)}…` : text;
  return shown.replace(
    REMOVED,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function refuseUnsafe(text: string, field: () => string): void {
  const problem = problemOf(text);
  if (problem === undefined) return;
  const where = field();
  throw new MetainfoError('unsafe-path', where, `The path in ${where} ${problem}.`);
}

function problemOf(text: string): string | undefined {
  if (text === '') return 'has an empty component';
  if (text.includes('\0')) return 'has a NUL character';
  if (ABSOLUTE.test(text)) return 'is absolute';
  if (text.split(/[/\\]/).includes('..')) return 'has a ".." component';
  return undefined;
}

function byteLength(text: string): number {
  return encoder.encode(text).length;
}

/** The longest beginning of whole characters that fits in so many bytes. */
function cut(text: string, maxBytes: number): string {
  if (text.length * 3 <= maxBytes) return text;
  const bytes = encoder.encode(text);
  if (bytes.length <= maxBytes) return text;
  let end = maxBytes;
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end--;
  return decodeLossy(bytes.subarray(0, end));
}
