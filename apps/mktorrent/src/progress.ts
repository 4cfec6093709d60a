// How far it is: one line that is rewritten on a terminal, a plain line now and then elsewhere.
import type { Output } from './run.ts';
import { formatBytes, formatDuration, formatShare, plural } from './text.ts';

/** Between two plain lines. */
const PLAIN_INTERVAL_MS = 5000;

export class Progress {
  readonly #output: Output;
  readonly #verb: string;
  readonly #now: () => number;
  #startedMs: number | undefined;
  #printedMs: number;
  #lineLength = 0;

  /** `now` tells milliseconds of a clock that never goes back; `isEager`: the first plain line comes at once. */
  constructor(output: Output, verb: string, now: () => number, isEager = false) {
    this.#output = output;
    this.#verb = verb;
    this.#now = now;
    this.#printedMs = isEager ? Number.NEGATIVE_INFINITY : now();
  }

  /** `done` of `total` bytes. */
  bytes(done: number, total: number): void {
    const now = this.#now();
    this.#startedMs ??= now;
    const seconds = (now - this.#startedMs) / 1000;
    const parts = [`${this.#verb} ${formatShare(done, total)} of ${formatBytes(total)}`];
    if (seconds > 0 && done > 0) {
      const rate = done / seconds;
      parts.push(`${formatBytes(rate)}/s`, `${formatDuration((total - done) / rate)} left`);
    }
    this.#print(parts.join(', '), now);
  }

  files(count: number, total: number): void {
    this.#print(`Found ${plural(count, 'file')}, ${formatBytes(total)}`, this.#now());
  }

  /** Takes the line off the terminal, before anything else is printed. */
  end(): void {
    if (this.#lineLength > 0) this.#output.write(`\r${' '.repeat(this.#lineLength)}\r`);
    this.#lineLength = 0;
  }

  #print(text: string, now: number): void {
    if (this.#output.isTTY === true) {
      const columns = this.#output.columns || 80; // 0 where the terminal does not tell
      const line = text.slice(0, columns - 1);
      this.#output.write(`\r${line.padEnd(this.#lineLength)}`);
      this.#lineLength = line.length;
    } else if (now - this.#printedMs >= PLAIN_INTERVAL_MS) {
      this.#printedMs = now;
      this.#output.write(`${text}\n`);
    }
  }
}
