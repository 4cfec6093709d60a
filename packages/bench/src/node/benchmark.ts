// What a benchmark consists of: cases, each done by contenders in turn.
import type { Amount, Sample } from '../measurement.ts';

export interface Benchmark {
  readonly name: string;
  readonly title: string;
  /** Makes what the cases need, below `folder`, which is removed afterwards. */
  readonly prepare: (setting: Setting) => Promise<readonly BenchCase[]>;
}

export interface Setting {
  /** Small sizes: to see that it works. */
  readonly quick: boolean;
  /** An empty folder on disk. */
  readonly folder: string;
}

export interface BenchCase {
  readonly name: string;
  readonly amount?: Amount;
  /** Ours is the first. */
  readonly contenders: readonly Contender[];
}

export interface Contender {
  readonly name: string;
  /** One sentence when it is not installed: it is named in the report and does not run. */
  readonly missing?: string | undefined;
  /** One round, in a process of its own. */
  readonly run: () => Promise<Run>;
  /** What the last run made, in words that must be equal for all contenders. Default: the run's own `result`. */
  readonly readResult?: () => Promise<string>;
}

export interface Run {
  readonly sample: Sample;
  readonly result?: string;
}
