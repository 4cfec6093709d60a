// The chat as programs read it: one JSON object a line, `event` first. Texts are as they came: what a terminal obeys is escaped.
import { printEndpoint } from '@bt/endpoint';
import type { PeerPath } from '@bt/nat-punch/node';
import type { FileView, Output, View, Who } from './view.ts';

/** Between two events of one file's progress. */
const PROGRESS_MS = 500;
/** What JSON leaves as it is, though terminals obey it: DEL, C1 controls, and what turns text around. */
const OBEYED = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

export class JsonView implements View {
  readonly #output: Output;
  readonly #now: () => number;
  /** By `FileView.id`, of files on their way. */
  readonly #progressAt = new Map<number, number>();

  constructor(output: Output, now: () => number) {
    this.#output = output;
    this.#now = now;
  }

  joined(): void {
    this.#event('joined', {});
  }

  waiting(ahead: number): void {
    this.#event('waiting', { ahead });
  }

  connection(isUp: boolean): void {
    this.#event('connection', { isUp });
  }

  partner(who: Who, facts: { isBrowser: boolean; isAuthenticated: boolean }): void {
    this.#event('peer', { ...person(who), ...facts });
  }

  partnerConnection(who: Who, isUp: boolean): void {
    this.#event('peer-connection', { ...person(who), isUp });
  }

  renamed(who: Who, before: string): void {
    this.#event('peer-renamed', { ...person(who), before });
  }

  left(who: Who, reason: string): void {
    this.#event('peer-left', { ...person(who), reason });
  }

  refused(reason: string): void {
    this.#event('peer-refused', { reason });
  }

  path(who: Who, path: PeerPath | undefined): void {
    this.#path(who, path);
  }

  message(who: Who, text: string): void {
    this.#event('message', { from: who.label, peer: who.id, text });
  }

  bytes(who: Who, lengthBytes: number): void {
    this.#event('bytes', { from: who.label, peer: who.id, bytes: lengthBytes });
  }

  showPaths(paths: readonly { who: Who; path: PeerPath | undefined }[]): void {
    for (const { who, path } of paths) this.#path(who, path);
  }

  showCodes(
    codes: readonly { who: Who; code: string | undefined; isAuthenticated: boolean }[],
  ): void {
    for (const { who, code, isAuthenticated } of codes) {
      this.#event('code', { ...person(who), code: code ?? null, isAuthenticated });
    }
  }

  showPartners(partners: readonly Who[]): void {
    this.#event('peers', { peers: partners.map(person) });
  }

  fileOffered(file: FileView, isAsked: boolean): void {
    this.#file(file, 'offered', file.direction === 'in' ? { isAsked } : {});
  }

  fileProgress(file: FileView, doneBytes: number): void {
    const now = this.#now();
    if (now - (this.#progressAt.get(file.id) ?? Number.NEGATIVE_INFINITY) < PROGRESS_MS) return;
    this.#progressAt.set(file.id, now);
    this.#file(file, 'progress', { doneBytes });
  }

  fileDone(file: FileView, where: string | undefined): void {
    this.#progressAt.delete(file.id);
    this.#file(file, 'done', { ok: true, ...(where === undefined ? {} : { path: where }) });
  }

  fileFailed(file: FileView, why: string): void {
    this.#progressAt.delete(file.id);
    this.#file(file, 'failed', { ok: false, reason: why });
  }

  notice(sentence: string): void {
    this.#event('notice', { message: sentence });
  }

  failed(sentence: string, exitCode: number): void {
    this.#event('error', { code: exitCode, message: sentence });
  }

  #path(who: Who, path: PeerPath | undefined): void {
    this.#event(
      'path',
      path === undefined
        ? { ...person(who), kind: null }
        : {
            ...person(who),
            kind: path.kind,
            method: path.method,
            local: printEndpoint(path.local),
            remote: printEndpoint(path.remote),
            reason: path.reason,
          },
    );
  }

  #file(file: FileView, state: string, facts: object): void {
    const { id, direction, name, lengthBytes } = file;
    this.#event('file', {
      ...person(file.who),
      transfer: id,
      direction,
      file: name,
      bytes: lengthBytes,
      state,
      ...facts,
    });
  }

  #event(event: string, facts: object): void {
    const json = JSON.stringify({ event, ...facts }).replace(OBEYED, escaped);
    this.#output.out(`${json}\n`);
  }
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

function person({ id, label }: Who): { readonly peer: number; readonly name: string } {
  return { peer: id, name: label };
}
