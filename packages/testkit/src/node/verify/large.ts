// A torrent of 100,000 pieces and 50,000 files, loaded and checked: the memory of the whole process, workers included.
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Child } from '../child.ts';
import { PIECES_CLI } from '../peers/pieces.ts';
import { writeSampleTree } from '../sample-tree.ts';
import type { VerifyContext, VerifyLine, VerifyResult } from './line.ts';

const run = promisify(execFile);
const FILES = 50_000;
const PIECES = 100_000;
const PIECE_BYTES = 16 * 1024;
const MAX_PEAK_MIB = 250;

/** Runs the built `pieces` and returns its exit code and the peak of its resident memory in MiB, as the kernel counted it. */
async function runMeasured(args: readonly string[], env: Record<string, string>) {
  const child = new Child('pieces', process.execPath, [PIECES_CLI, ...args], { env });
  let peakKib = 0;
  const sample = async () => {
    const status = await readFile(`/proc/${child.pid}/status`, 'utf8').catch(() => '');
    peakKib = Math.max(peakKib, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0));
  };
  const timer = setInterval(() => void sample(), 20);
  const begin = performance.now();
  const { code } = await child.waitForExit(300_000);
  clearInterval(timer);
  return {
    code,
    peakMib: peakKib / 1024,
    seconds: (performance.now() - begin) / 1000,
    output: child.output,
  };
}

async function* large(context: VerifyContext): AsyncGenerator<VerifyResult> {
  const tree = join(context.folder, 'tree');
  const torrent = join(context.folder, 'large.torrent');
  const files = Array.from({ length: FILES }, (_, i) => ({
    path: `folder-${i % 200}/file-${i}`,
    lengthBytes: (PIECES * PIECE_BYTES) / FILES,
  }));
  await writeSampleTree(tree, files, 7);
  await run(process.execPath, [
    join(context.root, 'apps/mktorrent/dist/cli.js'),
    ...['-l', `${PIECE_BYTES}`, '-f', tree, '-p', torrent],
  ]);
  const env = { XDG_STATE_HOME: join(context.folder, 'state') };
  const args = ['-t', torrent, '--dir', context.folder, '--bind', '127.0.0.1'];
  for (const [command, extra] of [
    ['pieces --check on 100,000 pieces in 50,000 files', ['--check']],
    ['pieces (load, check, find it complete, end)', []],
  ] as const) {
    const { code, peakMib, seconds, output } = await runMeasured([...args, ...extra], env);
    yield {
      command,
      figure: `exit ${code}, peak ${peakMib.toFixed(0)} MiB of ${MAX_PEAK_MIB}, ${seconds.toFixed(1)} s${code === 0 ? '' : `: ${output.slice(-500)}`}`,
      pass: code === 0 && peakMib > 0 && peakMib <= MAX_PEAK_MIB,
    };
  }
}

export const largeLine: VerifyLine = {
  name: 'large',
  title: 'a torrent of 100,000 pieces and 50,000 files within 250 MiB',
  needs: [],
  run: large,
};
