// `--save`: a benchmark's figures as JSON and as a Markdown table under docs/benchmarks/.
import { spawnSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { BenchmarkResult } from '../measurement.ts';
import { renderBenchmark } from '../report.ts';

const ROOT = new URL('../../../../', import.meta.url);

/** Returns the paths written, formatted as everything in the repository is. */
export async function saveBenchmark(result: BenchmarkResult): Promise<string[]> {
  const folder = new URL('docs/benchmarks/', ROOT);
  await mkdir(folder, { recursive: true });
  const json = fileURLToPath(new URL(`${result.name}.json`, folder));
  const markdown = fileURLToPath(new URL(`${result.name}.md`, folder));
  await writeFile(json, `${JSON.stringify(result, null, 2)}\n`);
  await writeFile(markdown, renderBenchmark(result));
  const biome = fileURLToPath(new URL('node_modules/.bin/biome', ROOT));
  spawnSync(biome, ['format', '--write', json], { cwd: fileURLToPath(ROOT), stdio: 'ignore' });
  return [json, markdown];
}
