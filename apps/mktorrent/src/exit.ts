// Exit codes, and the error that ends the program with one.

export const EXIT = {
  done: 0,
  /** `check` found something wrong, or an error that should not happen. */
  failed: 1,
  usage: 2,
  badTorrent: 3,
  disk: 4,
  /** `publish`: nobody in the DHT has answered, or takes it. */
  nobody: 5,
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

/** @param program whose help says how it is done */
export function usageError(message: string, program = 'mktorrent'): ExitError {
  return new ExitError(EXIT.usage, `${message} See ${program} --help.`);
}
