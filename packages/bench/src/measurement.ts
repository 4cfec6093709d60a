// What is measured, and how it is kept: the shape of the JSON under docs/benchmarks/.

/** One run of one contender, or one operation of it when a run repeats a short operation. */
export interface Sample {
  readonly wallSeconds: number;
  /** CPU time, children included. */
  readonly userSeconds: number;
  readonly systemSeconds: number;
  readonly peakBytes: number;
  /** More figures of this benchmark, by a name that tells the unit. */
  readonly figures?: Readonly<Record<string, number>>;
}

/** How much one operation does, for rates. */
export interface Amount {
  readonly value: number;
  /** Such as `MB`. */
  readonly unit: string;
}

export interface ContenderResult {
  readonly name: string;
  /** In the order of the rounds; as many for every contender of a case. */
  readonly samples: readonly Sample[];
}

export interface CaseResult {
  readonly name: string;
  readonly amount?: Amount;
  /** Ours is the first. */
  readonly contenders: readonly ContenderResult[];
  /** What did not run, and why: one sentence each. */
  readonly missing: readonly string[];
}

export interface BenchmarkResult {
  readonly name: string;
  readonly title: string;
  readonly command: string;
  /** ISO 8601. */
  readonly date: string;
  readonly machine: string;
  readonly cases: readonly CaseResult[];
}
