// One line of the acceptance suite: what it runs, what it needs, and the figures that come of it.
import type { Program } from '../programs.ts';

export interface VerifyContext {
  /** One case of each kind instead of the whole matrix. */
  readonly quick: boolean;
  /** The repository's top folder. */
  readonly root: string;
  /** A folder for this line alone, removed afterwards; readable to other users. */
  readonly folder: string;
}

export interface VerifyResult {
  /** What was run, as a person would type it. */
  readonly command: string;
  /** What was seen, with its unit. */
  readonly figure: string;
  readonly pass: boolean;
}

export interface VerifyLine {
  readonly name: string;
  readonly title: string;
  readonly needs: readonly Program[];
  /** Whether the line must run outside the namespace (it installs from a registry). */
  readonly outside?: boolean;
  run(context: VerifyContext): AsyncIterable<VerifyResult>;
}
