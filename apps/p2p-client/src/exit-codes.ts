// The exit codes of `p2p-client`, as `--help` and the README list them.

export const EXIT = {
  done: 0,
  usage: 2,
  /** The server can't be reached, or won't have us. */
  server: 3,
  /** Left by /quit before all was delivered. */
  undelivered: 4,
  /** A fault of the program itself. */
  internal: 70,
  /** Standard output can't be written to; EX_IOERR of sysexits.h. */
  unwritable: 74,
  interrupted: 130,
  /** Whoever read standard output has gone away: as a program that SIGPIPE ends, 128 + 13. */
  unread: 141,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** An end that the user is told of in one sentence. */
export class Failure extends Error {
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, sentence: string, options?: ErrorOptions) {
    super(sentence, options);
    this.name = 'Failure';
    this.exitCode = exitCode;
  }
}
