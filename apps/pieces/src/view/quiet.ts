// `--quiet`: nothing but errors.
import { printable } from './printable.ts';
import type { Terminal, View } from './view.ts';

export class QuietView implements View {
  #terminal: Terminal;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  pointer(): void {}
  searching(): void {}
  started(): void {}
  event(): void {}
  stopping(): void {}
  checking(): void {}
  checked(): void {}
  saved(): void {}
  finished(): void {}

  failed(sentence: string): void {
    this.#terminal.error(`pieces: ${printable(sentence)}\n`);
  }
}
