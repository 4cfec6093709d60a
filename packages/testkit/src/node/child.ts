// A foreign program as a child process: its output kept, its lines awaited, and its end certain.
import { type ChildProcess, spawn } from 'node:child_process';

export interface ChildOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Whether `write` may be called. */
  readonly input?: boolean;
}

export interface ExitStatus {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** The most output kept of one child, in characters; older output is let go. */
const MAX_KEPT_OUTPUT = 1 << 20;

/** One running program. Its standard output and error are gathered together in `output`. */
export class Child {
  readonly name: string;
  readonly exited: Promise<ExitStatus>;
  output = '';
  /** Called with each chunk of standard output. */
  onOutput: (text: string) => void = () => undefined;
  #process: ChildProcess;
  #running = true;
  #listeners = new Set<() => void>();

  constructor(name: string, command: string, args: readonly string[], options: ChildOptions = {}) {
    this.name = name;
    this.#process = spawn(command, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: [options.input === true ? 'pipe' : 'ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream?.setEncoding('utf8');
      stream?.on('data', (text: string) => {
        this.output = (this.output + text).slice(-MAX_KEPT_OUTPUT);
        this.#changed();
      });
    }
    this.#process.stdout?.on('data', (text: string) => this.onOutput(text));
    this.#process.stdin?.on('error', () => undefined); // It ended before it read everything; its exit tells.
    this.exited = new Promise((resolve) => {
      this.#process.once('error', (error) => {
        this.output += `\n${error.message}`;
        this.#ended();
        resolve({ code: null, signal: null });
      });
      this.#process.once('close', (code, signal) => {
        this.#ended();
        resolve({ code, signal });
      });
    });
  }

  get pid(): number {
    return this.#process.pid ?? -1;
  }

  get running(): boolean {
    return this.#running;
  }

  /** Writes to its standard input. */
  write(text: string): void {
    this.#process.stdin?.write(text);
  }

  /** Ends its standard input. */
  endInput(): void {
    this.#process.stdin?.end();
  }

  signal(signal: NodeJS.Signals): void {
    if (this.#running) this.#process.kill(signal);
  }

  /** Ends the program: SIGTERM, then SIGKILL after `graceMs`. */
  async stop(graceMs = 3_000): Promise<ExitStatus> {
    this.signal('SIGTERM');
    const timer = setTimeout(() => this.signal('SIGKILL'), graceMs);
    try {
      return await this.exited;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Waits until the output matches, and returns the match. Rejects when the program ends or `timeoutMs` passes first. */
  async waitFor(pattern: RegExp, timeoutMs: number): Promise<RegExpMatchArray> {
    return await new Promise((resolve, reject) => {
      const fail = (why: string) => {
        done();
        reject(
          new Error(`${this.name} ${why} before ${pattern}; it said: ${this.output.slice(-2_000)}`),
        );
      };
      const look = () => {
        const match = this.output.match(pattern);
        if (match !== null) {
          done();
          resolve(match);
        } else if (!this.#running) fail('ended');
      };
      const timer = setTimeout(() => fail(`said nothing in ${timeoutMs / 1000} s`), timeoutMs);
      const done = () => {
        clearTimeout(timer);
        this.#listeners.delete(look);
      };
      this.#listeners.add(look);
      look();
    });
  }

  /** Waits for the program's own end; it is killed, and the wait rejected, after `timeoutMs`. */
  async waitForExit(timeoutMs: number): Promise<ExitStatus> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.signal('SIGKILL');
    }, timeoutMs);
    const status = await this.exited;
    clearTimeout(timer);
    if (late) {
      throw new Error(
        `${this.name} was still running after ${timeoutMs / 1000} s; it said: ${this.output.slice(-2_000)}`,
      );
    }
    return status;
  }

  #ended(): void {
    this.#running = false;
    this.#changed();
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
