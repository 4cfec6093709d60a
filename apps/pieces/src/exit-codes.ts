// The exit codes of `pieces`, as `--help` and the README list them.

export const EXIT = {
  done: 0,
  /** `--check` found that not every byte is right. */
  incomplete: 1,
  usage: 2,
  badTorrent: 3,
  disk: 4,
  nobody: 5,
  /** A fault of the program itself. */
  internal: 70,
  interrupted: 130,
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
