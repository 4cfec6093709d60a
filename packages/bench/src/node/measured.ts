// For the scripts that measure themselves (see script.ts): the measuring, and the line that tells it.
import type { Sample } from '../measurement.ts';

/** A short operation is repeated for so long, to warm up and then to be measured. */
const WARM_UP_SECONDS = 0.3;
const MEASURED_SECONDS = 0.7;

/** Repeats an operation, one of at least some 100 microseconds, and returns what one costs. */
export async function measureRepeated(operation: () => void | Promise<void>): Promise<Sample> {
  const warm = performance.now() + WARM_UP_SECONDS * 1e3;
  do await operation();
  while (performance.now() < warm);
  globalThis.gc?.();
  const end = startMeasuring();
  const until = performance.now() + MEASURED_SECONDS * 1e3;
  let count = 0;
  do {
    await operation();
    count += 1;
  } while (performance.now() < until);
  return end(count);
}

/** Starts the clocks; the function returned stops them and divides by the operations done. */
export function startMeasuring(): (operations?: number) => Sample {
  const cpu = process.cpuUsage();
  const start = performance.now();
  return (operations = 1) => {
    const wallSeconds = (performance.now() - start) / 1e3 / operations;
    const { user, system } = process.cpuUsage(cpu);
    return {
      wallSeconds,
      userSeconds: user / 1e6 / operations,
      systemSeconds: system / 1e6 / operations,
      peakBytes: process.resourceUsage().maxRSS * 1024,
    };
  };
}

/** `result` is what the operation came to: it must be equal for all contenders. */
export function printMeasured(sample: Sample, result: string): void {
  process.stdout.write(`${JSON.stringify({ ...sample, result })}\n`);
}
