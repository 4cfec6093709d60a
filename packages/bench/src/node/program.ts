// One run of a program, measured from outside: wall time, the CPU time of it and its children, its peak memory (Linux).
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Sample } from '../measurement.ts';

/** Linux tells CPU times in these steps (`getconf CLK_TCK`, the same on every architecture). */
const TICKS_PER_SECOND = 100;
/** The kernel keeps the peak itself; only growth in a program's last moments may be missed. */
const MEMORY_POLL_MS = 10;
const MAX_KEPT_OUTPUT = 1 << 20;

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd?: string;
}

export interface ProgramRun {
  readonly sample: Sample;
  readonly stdout: string;
}

/** Runs a program to its end; rejects when it fails. One at a time: the CPU time is what the reaped children have added. */
export async function runProgram({ file, args, cwd }: Command): Promise<ProgramRun> {
  const before = childCpuTicks();
  const start = performance.now();
  const child = spawn(file, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout = (stdout + text).slice(-MAX_KEPT_OUTPUT);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-MAX_KEPT_OUTPUT);
  });
  let peakBytes = 0;
  const poll = setInterval(() => {
    peakBytes = Math.max(peakBytes, peakMemory(child.pid));
  }, MEMORY_POLL_MS);
  let end = start;
  child.once('exit', () => {
    end = performance.now();
  });
  const status = await new Promise<number | NodeJS.Signals | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(signal ?? code));
  }).finally(() => clearInterval(poll));
  if (status !== 0) {
    throw new Error(`${file} ${args.join(' ')} ended with ${status}: ${stderr.slice(-2_000)}`);
  }
  const after = childCpuTicks();
  const sample = {
    wallSeconds: (end - start) / 1e3,
    userSeconds: (after.user - before.user) / TICKS_PER_SECOND,
    systemSeconds: (after.system - before.system) / TICKS_PER_SECOND,
    peakBytes,
  };
  return { sample, stdout };
}

/** proc(5): cutime and cstime, fields 16 and 17 of /proc/self/stat, of children that have ended and theirs. */
function childCpuTicks(): { user: number; system: number } {
  const stat = readFileSync('/proc/self/stat', 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // from field 3 on
  return { user: Number(fields[13]), system: Number(fields[14]) };
}

/** The most that has been resident, in bytes; 0 once the process has ended. */
function peakMemory(pid: number | undefined): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    return Number(/^VmHWM:\s*(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
