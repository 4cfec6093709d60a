// The rounds of a case: every contender once to warm up and to compare the results, then A B A B.
import type { CaseResult, Sample } from '../measurement.ts';
import type { BenchCase, Contender } from './benchmark.ts';

/** Runs a case. Throws when the contenders' results differ: times of different work say nothing. */
export async function runCase(
  benchCase: BenchCase,
  rounds: number,
  say: (text: string) => void,
): Promise<CaseResult> {
  const { name, amount } = benchCase;
  const missing = benchCase.contenders.flatMap((contender) => contender.missing ?? []);
  const present = benchCase.contenders.filter((contender) => contender.missing === undefined);
  await compareResults(name, present, say);
  const samples = new Map<Contender, Sample[]>(present.map((contender) => [contender, []]));
  for (let round = 1; round <= rounds; round += 1) {
    for (const [contender, list] of samples) {
      say(`${name}: round ${round} of ${rounds}, ${contender.name}`);
      list.push((await contender.run()).sample);
    }
  }
  const contenders = [...samples].map(([contender, list]) => ({
    name: contender.name,
    samples: list,
  }));
  return { name, ...(amount === undefined ? {} : { amount }), contenders, missing };
}

async function compareResults(
  caseName: string,
  contenders: readonly Contender[],
  say: (text: string) => void,
): Promise<void> {
  let first: { name: string; result: string } | undefined;
  for (const contender of contenders) {
    say(`${caseName}: warm-up, ${contender.name}`);
    const run = await contender.run();
    const result = contender.readResult === undefined ? run.result : await contender.readResult();
    if (result === undefined) throw new Error(`${caseName}: ${contender.name} tells no result`);
    first ??= { name: contender.name, result };
    if (result !== first.result) {
      throw new Error(
        `${caseName}: the results differ, nothing is timed.\n` +
          `  ${first.name}: ${first.result}\n  ${contender.name}: ${result}`,
      );
    }
  }
}
