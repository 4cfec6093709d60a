// Exit codes, and the error that ends the program with one.

export const EXIT = {
  done: 0,
  /** `check` found something wrong, or an error that should not happen. */
  failed: 1,
  usage: 2,
  badTorrent: 3,
  disk: 4,
  interrupted: 130,
} as const;

/** Ends the program with `exitCode` and one sentence on standard error. */
export class ExitError extends Error {
  override readonly name = 'ExitError';
  readonly exitCode: number;

  constructor(exitCode: number, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.exitCode = exitCode;
  }
}

export function usageError(message: string): ExitError {
  return new ExitError(EXIT.usage, `${message} See mktorrent --help.`);
}
