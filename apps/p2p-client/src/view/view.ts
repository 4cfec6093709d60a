// What happens in a chat, told to whoever watches: people on a terminal or in a log (`text.ts`), or a program (`json.ts`).
import type { PeerPath } from '@bt/nat-punch/node';

/** One partner. Labels are fit for a terminal, and differ among those who are here. */
export interface Who {
  readonly id: number;
  readonly label: string;
}

/** A file on its way, either direction. */
export interface FileView {
  /** One for each file of this stay, either direction. */
  readonly id: number;
  readonly who: Who;
  readonly direction: 'in' | 'out';
  /** Fit for a terminal. */
  readonly name: string;
  readonly lengthBytes: number;
}

export interface View {
  /** The server has let us in, for the first time or again. */
  joined(): void;
  /** The pool is full; so many wait before us. */
  waiting(ahead: number): void;
  /** The way to the server is cut, or back. */
  connection(isUp: boolean): void;
  /** There is a channel to the partner for the first time. */
  partner(
    who: Who,
    facts: { readonly isBrowser: boolean; readonly isAuthenticated: boolean },
  ): void;
  /** The channel to the partner is cut, or back. */
  partnerConnection(who: Who, isUp: boolean): void;
  renamed(who: Who, before: string): void;
  left(who: Who, reason: string): void;
  /** Somebody who was never let in. */
  refused(reason: string): void;
  path(who: Who, path: PeerPath | undefined): void;
  message(who: Who, text: string): void;
  bytes(who: Who, lengthBytes: number): void;

  /** The answers to /path, /code and /who. */
  showPaths(paths: readonly { readonly who: Who; readonly path: PeerPath | undefined }[]): void;
  showCodes(
    codes: readonly {
      readonly who: Who;
      readonly code: string | undefined;
      readonly isAuthenticated: boolean;
    }[],
  ): void;
  showPartners(partners: readonly Who[]): void;

  fileOffered(file: FileView, isAsked: boolean): void;
  fileProgress(file: FileView, doneBytes: number): void;
  /** @param where the file's path, when it came in */
  fileDone(file: FileView, where: string | undefined): void;
  fileFailed(file: FileView, why: string): void;

  /** Something else that the user should know, in one sentence. */
  notice(sentence: string): void;
  failed(sentence: string, exitCode: number): void;
}

/** Where the view writes to. */
export interface Output {
  readonly isTerminal: boolean;
  out(text: string): void;
  error(text: string): void;
}
