// Cases of a line that run beside one another, and the figures of many.
import type { VerifyResult } from '../line.ts';

/** Runs `work` for each case, a few at a time, and returns the results in the order of the cases. */
export async function inParallel<Case, Result>(
  cases: readonly Case[],
  atOnce: number,
  work: (one: Case) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  let next = 0;
  const worker = async () => {
    while (next < cases.length) {
      const index = next++;
      results[index] = await work(cases[index]!);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return results;
}

/** What must not be disturbed by its neighbours, because it is timed, goes one by one. */
export class OneByOne {
  #last: Promise<unknown> = Promise.resolve();

  async run<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = this.#last.then(work, work);
    this.#last = turn.catch(() => undefined);
    return await turn;
  }
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export const milliseconds = (ms: number): string => `${ms.toFixed(0)} ms`;

export const complaint = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

/** A case whose failure is its figure. */
export async function attempt(
  command: string,
  run: () => Promise<{ readonly figure: string; readonly pass: boolean }>,
): Promise<VerifyResult> {
  try {
    return { command, ...(await run()) };
  } catch (error) {
    return { command, figure: complaint(error), pass: false };
  }
}
