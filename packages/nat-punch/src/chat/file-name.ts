// The name under which a stranger's file may be saved: one name in one folder, whatever it was called.
import { MAX_FILE_NAME_BYTES } from './chat-frame.ts';

/** Room for ` (12)` and for what marks a file that is not whole yet. */
const RESERVED_BYTES = 40;
/** Devices on Windows, with any ending. */
const DEVICE = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i;
const FORBIDDEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  /[\u0000-\u001f\u007f-\u009f<>:"|?*\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/gu;

/** A name without folders, controls, or what Windows can't have; `file` if nothing is left. */
export function safeFileName(name: string): string {
  const last = name.split(/[/\\]/).pop() ?? '';
  const cleaned = last
    .replace(FORBIDDEN, '_')
    .trim()
    .replace(/^\.+/, '')
    .replace(/[. ]+$/, '');
  const shortened = shorten(cleaned === '' ? 'file' : cleaned);
  return DEVICE.test(shortened) ? `_${shortened}` : shortened;
}

/** `name (2).txt` for 2; the name itself for 1. */
export function numberedFileName(name: string, number: number): string {
  if (number === 1) return name;
  const { stem, ending } = split(name);
  return `${stem} (${number})${ending}`;
}

/** The ending is kept, since it says what the file is. */
function shorten(name: string): string {
  const limit = MAX_FILE_NAME_BYTES - RESERVED_BYTES;
  if (byteLength(name) <= limit) return name;
  const { stem, ending } = split(name);
  const kept = byteLength(ending) > 20 ? '' : ending;
  const characters = [...stem];
  while (byteLength(characters.join('')) + byteLength(kept) > limit) characters.pop();
  return characters.join('') + kept;
}

function split(name: string): { readonly stem: string; readonly ending: string } {
  const dot = name.lastIndexOf('.');
  return dot <= 0
    ? { stem: name, ending: '' }
    : { stem: name.slice(0, dot), ending: name.slice(dot) };
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}
