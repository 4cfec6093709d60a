// The tape: what the decoder knows of a document, as one flat array of numbers. The values are windows on it.
//
// Each token (an integer, a string, a dictionary, a list; keys are strings) takes SLOTS numbers, in the order of the input:
//   [START]  offset of the token's first byte, prefix included
//   [END]    offset behind its last byte
//   [LINK]   a container: the tape index behind its last member, always positive;
//            a string or integer: minus the offset of its content, minus 1, always negative
// A dictionary's members are key, value, key, value. The kind of a token is the byte at its START.

export const SLOTS = 3;
export const END = 1;
export const LINK = 2;

/** ASCII. */
export const BYTE = {
  minus: 0x2d,
  zero: 0x30,
  nine: 0x39,
  colon: 0x3a,
  dictionary: 0x64,
  end: 0x65,
  integer: 0x69,
  list: 0x6c,
} as const;

/** The tape index of the token behind the one at `at`, its members passed over. */
export function tokenAfter(tape: Int32Array, at: number): number {
  const link = tape[at + LINK] as number;
  return link > 0 ? link : at + SLOTS;
}

/** Where the content of the string or integer at `at` begins in the input: behind `5:` or `i`. */
export function contentStart(tape: Int32Array, at: number): number {
  return ~(tape[at + LINK] as number);
}
