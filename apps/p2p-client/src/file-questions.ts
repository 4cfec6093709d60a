// The offers of files that the user is asked about: one at a time, answered by its number, so that an answer is for the file on the screen.
import type { IncomingTransfer } from '@bt/nat-punch/node';
import type { FileView } from './view/view.ts';

export interface FileQuestion {
  readonly file: FileView;
  readonly offer: IncomingTransfer;
}

/** How many wait is bounded by what a member may offer at a time. */
export class FileQuestions {
  #show: (file: FileView) => void;
  /** The first one is on the screen, the others wait for its answer. */
  readonly #questions: FileQuestion[] = [];

  constructor(show: (file: FileView) => void) {
    this.#show = show;
  }

  ask(question: FileQuestion): void {
    this.#questions.push(question);
    if (this.#questions.length === 1) this.#show(question.file);
  }

  /** The user has not seen it yet. */
  isWaiting(question: FileQuestion): boolean {
    return this.#questions.indexOf(question) > 0;
  }

  /** The question on the screen, if that is its number (`FileView.id`); then the next one is shown. */
  answered(id: number | undefined): FileQuestion | undefined {
    const question = this.#questions[0];
    if (question === undefined || question.file.id !== id) return undefined;
    this.drop(question);
    return question;
  }

  /** Nobody answers any more: no other one is shown. */
  end(): void {
    this.#show = () => {};
  }

  /** It needs no answer any more. */
  drop(question: FileQuestion): void {
    const at = this.#questions.indexOf(question);
    if (at < 0) return;
    this.#questions.splice(at, 1);
    const next = this.#questions[0];
    if (at === 0 && next !== undefined) this.#show(next.file);
  }
}
