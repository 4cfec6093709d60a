// The user at the keyboard, or what is piped in: lines, a phrase that is not shown, and output that leaves the line being typed alone.
import {
  clearScreenDown,
  createInterface,
  cursorTo,
  type Interface,
  moveCursor,
} from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import type { Output } from './view/view.ts';

const PROMPT = '> ';

export interface TerminalStreams {
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Writable & { readonly isTTY?: boolean };
  readonly stderr: Writable;
}

/** Standard input and output of a chat. */
export class Terminal implements Output {
  /** Somebody types and reads: there is a prompt, and questions can be asked. */
  readonly isTerminal: boolean;
  readonly #streams: TerminalStreams;
  readonly #onInterrupt: () => void;
  #lines: Interface | undefined;
  /** What came behind a secret in one piece, such as the rest of what was pasted. */
  #behind = '';
  #endsBehind = false;
  #isPrompting = false;

  /** @param isPlain nothing but lines is wanted, whoever reads them */
  constructor(streams: TerminalStreams, isPlain: boolean, onInterrupt: () => void) {
    this.#streams = streams;
    this.isTerminal = !isPlain && streams.stdin.isTTY === true && streams.stdout.isTTY === true;
    this.#onInterrupt = onInterrupt;
  }

  /** What is typed, line by line, until the input ends. */
  async *lines(): AsyncGenerator<string, void, undefined> {
    const lines = this.#open();
    const typed = lines[Symbol.asyncIterator]();
    if (this.isTerminal) {
      this.#isPrompting = true;
      lines.setPrompt(PROMPT);
      lines.prompt();
      if (this.#behind !== '') lines.write(this.#behind);
      if (this.#endsBehind) lines.close();
    }
    for await (const line of typed) {
      yield line;
      // The next line may have been begun already, by what was pasted.
      if (this.#isPrompting) lines.prompt(true);
    }
  }

  /** A line that is not shown while it is typed; undefined where nobody can type one, or nobody does until `interrupted`. */
  async secret(question: string, interrupted: AbortSignal): Promise<string | undefined> {
    if (!this.isTerminal) return undefined;
    const { stdin, stdout } = this.#streams;
    const silent = createInterface({ input: stdin, terminal: true, historySize: 0 });
    const lines: string[] = [];
    const close = () => silent.close();
    silent.on('SIGINT', this.#onInterrupt);
    interrupted.addEventListener('abort', close);
    stdout.write(question);
    try {
      return await new Promise<string | undefined>((resolve) => {
        silent.on('line', (line) => {
          lines.push(line);
          resolve(line);
        });
        silent.once('close', () => {
          this.#endsBehind = true;
          resolve(undefined);
        });
        if (interrupted.aborted) close();
      });
    } finally {
      interrupted.removeEventListener('abort', close);
      silent.removeAllListeners('close');
      silent.close();
      this.#behind = [...lines.slice(1), silent.line].join('\n');
      stdout.write('\n');
    }
  }

  out(text: string): void {
    const { stdout } = this.#streams;
    if (!this.#isPrompting) {
      stdout.write(text);
      return;
    }
    this.#erase();
    stdout.write(text);
    this.#lines?.prompt(true);
  }

  error(text: string): void {
    this.#streams.stderr.write(text);
  }

  close(): void {
    this.#lines?.close();
  }

  /** Takes the prompt and what is typed off the screen, whatever rows they fill; the cursor is where they began. */
  #erase(): void {
    const { stdout } = this.#streams;
    const lines = this.#lines as (Interface & { prevRows?: number }) | undefined;
    moveCursor(stdout, 0, -(lines?.getCursorPos().rows ?? 0));
    cursorTo(stdout, 0);
    clearScreenDown(stdout);
    // Or readline goes up those rows once more when it draws them again.
    if (lines !== undefined) lines.prevRows = 0;
  }

  #open(): Interface {
    const { stdin, stdout } = this.#streams;
    const lines = createInterface({
      input: stdin,
      terminal: this.isTerminal,
      crlfDelay: Number.POSITIVE_INFINITY,
      ...(this.isTerminal ? { output: stdout } : {}),
    });
    lines.on('SIGINT', this.#onInterrupt);
    // Also by Ctrl-D, while there is still something to say.
    lines.once('close', () => {
      if (this.#isPrompting) this.#erase();
      this.#isPrompting = false;
    });
    this.#lines = lines;
    return lines;
  }
}
