// The exit codes of `p2p-server`, as `--help` and the README list them.

export const EXIT = {
  /** After a clean stop, too. */
  done: 0,
  usage: 2,
  /** An address or port is not to be had. */
  socket: 3,
  /** A file can't be read, or is no certificate or key. */
  file: 4,
  /** A fault of the program itself. */
  internal: 70,
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
