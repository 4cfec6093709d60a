// `--quiet`: nothing but errors.
import type { Terminal, View } from './view.ts';

export class QuietView implements View {
  #terminal: Terminal;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  started(): void {}
  event(): void {}
  stopping(): void {}
  checked(): void {}
  finished(): void {}

  failed(sentence: string): void {
    this.#terminal.error(`pieces: ${sentence}\n`);
  }
}
