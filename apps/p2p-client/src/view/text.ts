// The chat as people read it: one line for each thing, what is not said by anybody begins with `*`.
import { printEndpoint } from '@bt/endpoint';
import { printableLines } from '@bt/nat-punch';
import type { PeerPath } from '@bt/nat-punch/node';
import { formatShare, formatSize } from '../units.ts';
import type { FileView, Output, View, Who } from './view.ts';

/** Between two lines of one file's progress: on a terminal, and in a log. */
const PROGRESS_MS = { terminal: 1000, log: 10_000 } as const;

export class TextView implements View {
  readonly #output: Output;
  readonly #now: () => number;
  /** By `FileView.id`, of files on their way. */
  readonly #shownAt = new Map<number, number>();
  /** The last one to each partner, by `Who.id`: only what changes is told. */
  readonly #paths = new Map<number, string>();
  #hasJoined = false;
  #wasCut = false;

  constructor(output: Output, now: () => number) {
    this.#output = output;
    this.#now = now;
  }

  joined(): void {
    if (this.#hasJoined) return;
    this.#hasJoined = true;
    this.#star('Joined. Waiting for a partner; what you type is kept for them.');
  }

  waiting(ahead: number): void {
    this.#star(
      ahead === 0
        ? 'The pool is full. You are the next to get a place.'
        : `The pool is full. ${ahead} ${ahead === 1 ? 'waits' : 'wait'} before you.`,
    );
  }

  connection(isUp: boolean): void {
    // That it is reached for the first time says `joined`.
    if (isUp && !this.#wasCut) return;
    this.#wasCut = !isUp;
    this.#star(
      isUp ? 'The server is reached again.' : 'The server is not reached. Talk that runs goes on.',
    );
  }

  partner(who: Who, facts: { isBrowser: boolean; isAuthenticated: boolean }): void {
    const how = facts.isBrowser ? ' with a browser' : '';
    const proof = facts.isAuthenticated ? ' and knows the phrase' : '';
    this.#star(`${who.label} is here${how}${proof}.`);
  }

  partnerConnection(who: Who, isUp: boolean): void {
    this.#star(
      isUp
        ? `${who.label} is reached again.`
        : `${who.label} is not reached. What you type is kept for them.`,
    );
  }

  renamed(who: Who, before: string): void {
    this.#star(`${before} is now ${who.label}.`);
  }

  left(who: Who, reason: string): void {
    this.#paths.delete(who.id);
    this.#star(`${who.label} ${reason}.`);
  }

  refused(reason: string): void {
    this.#star(reason);
  }

  path(who: Who, path: PeerPath | undefined): void {
    if (path === undefined) return;
    const text = pathText(path);
    if (this.#paths.get(who.id) === text) return;
    this.#paths.set(who.id, text);
    this.#star(`${who.label}: ${text}`);
  }

  message(who: Who, text: string): void {
    for (const line of printableLines(text)) this.#line(`${who.label}: ${line}`);
  }

  bytes(who: Who, lengthBytes: number): void {
    this.#star(`${who.label} sent ${lengthBytes} bytes that are no text.`);
  }

  showPaths(paths: readonly { who: Who; path: PeerPath | undefined }[]): void {
    if (paths.length === 0) this.#star('Nobody is here.');
    for (const { who, path } of paths) {
      if (path === undefined) this.#line(`none to ${who.label} now; a way is being looked for`);
      else this.#line(pathText(path, who));
    }
  }

  showCodes(
    codes: readonly { who: Who; code: string | undefined; isAuthenticated: boolean }[],
  ): void {
    if (codes.length === 0) this.#star('Nobody is here.');
    for (const { who, code, isAuthenticated } of codes) {
      this.#line(
        code === undefined
          ? `no code with ${who.label} yet`
          : `${code}  with ${who.label}${isAuthenticated ? ', who knows the phrase' : ''}: if both see the same, nobody sits between`,
      );
    }
  }

  showPartners(partners: readonly Who[]): void {
    this.#star(
      partners.length === 0
        ? 'Nobody is here.'
        : `Here: ${partners.map(({ label }) => label).join(', ')}.`,
    );
  }

  fileOffered(file: FileView, isAsked: boolean): void {
    const what = `${file.name} (${formatSize(file.lengthBytes)})`;
    if (file.direction === 'out') this.#star(`${what} is offered to ${file.who.label}.`);
    else if (isAsked)
      this.#star(`${file.who.label} offers ${what}. Type /take ${file.id} or /refuse ${file.id}.`);
    else this.#star(`${file.who.label} sends ${what}.`);
  }

  fileProgress(file: FileView, doneBytes: number): void {
    const now = this.#now();
    const pauseMs = this.#output.isTerminal ? PROGRESS_MS.terminal : PROGRESS_MS.log;
    const shownAt = this.#shownAt.get(file.id);
    if (shownAt === undefined) this.#shownAt.set(file.id, now);
    if (shownAt === undefined || now - shownAt < pauseMs) return;
    this.#shownAt.set(file.id, now);
    const share = formatShare(doneBytes, file.lengthBytes);
    this.#star(`${file.name}: ${share} of ${formatSize(file.lengthBytes)}`);
  }

  fileDone(file: FileView, where: string | undefined): void {
    this.#shownAt.delete(file.id);
    this.#star(
      where === undefined
        ? `${file.who.label} has ${file.name}, and its checksum is right.`
        : `${file.name} is saved as ${where}, and its checksum is right.`,
    );
  }

  fileFailed(file: FileView, why: string): void {
    this.#shownAt.delete(file.id);
    this.#star(`${file.name}: ${why}`);
  }

  notice(sentence: string): void {
    this.#star(sentence);
  }

  failed(sentence: string): void {
    this.#output.error(`p2p-client: ${sentence}\n`);
  }

  #star(text: string): void {
    this.#line(`* ${text}`);
  }

  #line(text: string): void {
    this.#output.out(`${text}\n`);
  }
}

/** Begins with `direct` or `relay`. */
export function pathText(path: PeerPath, who?: Who): string {
  const to = who === undefined ? '' : ` to ${who.label}`;
  return `${path.kind}${to} (${path.method}, ${printEndpoint(path.remote)}): ${path.reason}`;
}
