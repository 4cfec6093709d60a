// What may be shown on a terminal.

/** Strangers choose names and messages: their control characters must not reach the terminal. */
export function printable(line: string): string {
  return line.replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu, '\ufffd');
}
