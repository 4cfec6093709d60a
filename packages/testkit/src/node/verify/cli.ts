// `pnpm verify AREA [--quick] [--line NAME]`: runs the acceptance suite of an area and prints command, figure, and pass or fail.
import { spawnSync } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { enterNamespace, inNamespace, namespaceObstacle } from '../namespace.ts';
import { missingPrograms } from '../programs.ts';
import { findPeers } from './find-peers.ts';
import type { VerifyLine } from './line.ts';
import { mainJob } from './main-job.ts';
import { p2p } from './p2p.ts';

const AREAS: Readonly<Record<string, readonly VerifyLine[]>> = {
  'main-job': mainJob,
  'find-peers': findPeers,
  p2p,
};
/** Names the file for the counts of the run inside the namespace. */
const COUNTS_FILE = 'BT_VERIFY_COUNTS';
const ROOT = fileURLToPath(new URL('../../../../../', import.meta.url));
const USAGE = `Usage: pnpm verify AREA [--quick] [--line NAME]

Runs the acceptance suite of an area and prints, per line, the command, the figure seen, and pass or fail.
AREA is one of: ${Object.keys(AREAS).join(', ')}.
  --quick       one case of each kind
  --line NAME   that line alone (repeatable): ${Object.values(AREAS)
    .flat()
    .map((line) => line.name)
    .join(', ')}
Exit code: 0 when every line passes, 1 otherwise, 2 when it was called wrongly.`;

interface Arguments {
  readonly lines: readonly VerifyLine[];
  readonly quick: boolean;
}

function readArguments(): Arguments | undefined {
  try {
    const { values, positionals } = parseArgs({
      args: process.argv.slice(2).filter((arg) => arg !== '--'),
      allowPositionals: true,
      options: {
        quick: { type: 'boolean', default: false },
        line: { type: 'string', multiple: true },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    const area = AREAS[positionals[0] ?? ''];
    if (values.help || area === undefined || positionals.length !== 1) return undefined;
    const lines = area.filter((line) => values.line?.includes(line.name) ?? true);
    return lines.length === 0 ? undefined : { lines, quick: values.quick };
  } catch {
    return undefined;
  }
}

let passed = 0;
let failed = 0;

function report(name: string, command: string, figure: string, pass: boolean): void {
  if (pass) passed += 1;
  else failed += 1;
  console.log(`${pass ? 'pass' : 'FAIL'}  ${name}: ${command}\n      ${figure}`);
}

async function runLine(line: VerifyLine, quick: boolean): Promise<void> {
  const missing = missingPrograms(line.needs);
  if (missing !== undefined) return report(line.name, line.title, missing, false);
  const folder = await mkdtemp(join(tmpdir(), `bt-verify-${line.name}-`));
  await chmod(folder, 0o755);
  try {
    for await (const { command, figure, pass } of line.run({ quick, root: ROOT, folder })) {
      report(line.name, command, figure, pass);
    }
  } catch (error) {
    report(line.name, line.title, error instanceof Error ? error.message : String(error), false);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Runs this program again inside a namespace with the lines that belong there; its counts come back in a file. */
async function runInside(lines: readonly VerifyLine[]): Promise<void> {
  const obstacle = namespaceObstacle();
  if (obstacle !== undefined) {
    for (const line of lines) report(line.name, line.title, obstacle, false);
    return;
  }
  const folder = await mkdtemp(join(tmpdir(), 'bt-verify-counts-'));
  try {
    const file = join(folder, 'counts.json');
    const code = enterNamespace({ [COUNTS_FILE]: file });
    const counts = JSON.parse(await readFile(file, 'utf8').catch(() => '{}'));
    passed += counts.passed ?? 0;
    failed += counts.failed ?? 0;
    if (code !== 0 && !(counts.failed > 0)) failed += 1;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function main(): Promise<number> {
  const args = readArguments();
  if (args === undefined) {
    console.error(USAGE);
    return 2;
  }
  const inside = args.lines.filter((line) => line.outside !== true);
  if (inNamespace()) {
    for (const line of inside) await runLine(line, args.quick);
    const file = process.env[COUNTS_FILE];
    if (file !== undefined) await writeFile(file, JSON.stringify({ passed, failed }));
    return failed === 0 ? 0 : 1;
  }
  spawnSync(process.execPath, [join(ROOT, 'scripts', 'build.mjs')], { stdio: 'inherit' });
  for (const line of args.lines) if (line.outside === true) await runLine(line, args.quick);
  if (inside.length > 0) await runInside(inside);
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

process.exitCode = await main();
