// Everybody who is here, and what they and the user say: between the members of the pool and the view.
import { stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { type FileRefusal, MAX_TEXT_BYTES, NatPunchError, printableText } from '@bt/nat-punch';
import type { IncomingTransfer, OutgoingTransfer, PoolPeer } from '@bt/nat-punch/node';
import { type FileQuestion, FileQuestions } from './file-questions.ts';
import { formatSize } from './units.ts';
import type { FileView, View, Who } from './view/view.ts';

/** Lines that wait for a partner to be reached for the first time; then the input has to. */
const MAX_EARLY_LINES = 10_000;
/** Files that do: as many as one member may be offered at a time. */
const MAX_EARLY_FILES = 8;
/** Of a partner's name, what is shown. */
const MAX_LABEL_CHARACTERS = 32;

export interface RoomOptions {
  readonly view: View;
  /** Files go there without asking. */
  readonly saveTo: string | undefined;
  readonly maxFileBytes: number;
  /** The user can be asked. */
  readonly isInteractive: boolean;
}

interface Partner {
  readonly peer: PoolPeer;
  who: Who;
  /** There has been a channel: the view knows of it. */
  isShown: boolean;
  isUp: boolean;
  /** Said since the server told of it, and before it was reached. */
  readonly pending: Line[];
  /** Parts of lines that were given to its channel. */
  said: number;
}

interface Line {
  readonly number: number;
  readonly text: string;
}

/** The partners of one stay in a pool. */
export class Room {
  readonly #options: RoomOptions;
  readonly #partners = new Set<Partner>();
  /** Said before anybody was reached: for whoever is first. */
  readonly #early: Line[] = [];
  readonly #earlyFiles: string[] = [];
  /** Files that are being opened, to be offered. */
  #opening = 0;
  /** Offers and files on their way to others. */
  readonly #outgoing = new Set<FileView>();
  #lines = 0;
  readonly #questions: FileQuestions;
  #lastId = 0;
  #lastFileId = 0;
  #hasInputEnded = false;
  #isLeaving = false;
  readonly #waiting = new Set<() => void>();

  constructor(options: RoomOptions) {
    this.#options = options;
    this.#questions = new FileQuestions((file) => options.view.fileOffered(file, true));
  }

  /** A member of the pool, who may yet turn out not to know the phrase. */
  handlePeer(peer: PoolPeer): void {
    this.#lastId += 1;
    const partner: Partner = {
      peer,
      who: { id: this.#lastId, label: this.#label(peer) },
      isShown: false,
      isUp: false,
      pending: [],
      said: 0,
    };
    this.#partners.add(partner);
    peer.onState = () => this.#handleState(partner);
    peer.onName = () => this.#handleName(partner);
    peer.onPath = () => {
      if (partner.isShown) this.#options.view.path(partner.who, peer.path);
    };
    peer.onOffer = (offer) => this.#handleOffer(partner, offer);
    if (this.#hasInputEnded) void peer.takeNoMoreFiles();
    peer.onPostponed = () => {
      this.#options.view.notice(
        'Somebody came after too many wrong phrases, and has to wait ten minutes at most.',
      );
    };
    void this.#read(partner);
    this.#handleState(partner);
  }

  /** The user goes: that the partners then are gone is no news. */
  leave(): void {
    this.#isLeaving = true;
  }

  /** Says something to all whom the server has told of, or to the first who comes. Resolves when more may be said. */
  async say(text: string): Promise<void> {
    for (const part of parts(text)) {
      this.#lines += 1;
      const line = { number: this.#lines, text: part };
      const here = this.#here();
      for (const partner of this.#partners) if (!partner.isShown) partner.pending.push(line);
      if (here.length === 0) {
        this.#early.push(line);
        while (this.#early.length > MAX_EARLY_LINES) await this.#changed();
        continue;
      }
      await Promise.all(here.map((partner) => this.#deliver(partner, part)));
    }
  }

  /** Offers a file to all who are here, or to the first who comes. */
  async send(path: string): Promise<void> {
    const { view } = this.#options;
    if (path === '') {
      view.notice('Name a file: /send FILE.');
      return;
    }
    const here = this.#here();
    if (here.length > 0) await Promise.all(here.map((partner) => this.#send(partner, path)));
    else await this.#keep(path);
  }

  /** Answers the question about a file that has this number; undefined where the user gave none. */
  answer(answer: 'take' | 'refuse', id: number | undefined): void {
    const question = this.#questions.answered(id);
    if (question === undefined) {
      this.#options.view.notice(
        id === undefined
          ? `Give the number of the file: /${answer} NUMBER.`
          : `No file with the number ${id} is asked about.`,
      );
    } else if (answer === 'take') this.#accept(question, '.');
    else question.offer.refuse();
  }

  showPaths(): void {
    this.#options.view.showPaths(this.#here().map(({ who, peer }) => ({ who, path: peer.path })));
  }

  showCodes(): void {
    this.#options.view.showCodes(
      this.#here().map(({ who, peer }) => ({
        who,
        code: peer.shortCode,
        isAuthenticated: peer.isAuthenticated,
      })),
    );
  }

  showPartners(): void {
    this.#options.view.showPartners(this.#here().map(({ who }) => who));
  }

  /**
   * The input has ended. Refuses all files that have not been taken. Resolves when everything that was said and sent has been delivered, and
   * no file is coming.
   */
  async drained(): Promise<void> {
    this.#hasInputEnded = true;
    this.#questions.end();
    const files = [...this.#partners].map(({ peer }) => peer.takeNoMoreFiles());
    while (this.#early.length + this.#earlyFiles.length + this.#opening > 0) await this.#changed();
    // Who is not reached yet may never be.
    await Promise.all([...files, ...this.#here().map(({ peer }) => peer.drained())]);
  }

  get isAnybodyHere(): boolean {
    return this.#here().length > 0;
  }

  /** What was said and sent and has not been delivered, in a few words; undefined if there is nothing. */
  get undelivered(): string | undefined {
    const perPartner = this.#here().map(({ peer, said }) =>
      Math.min(said, peer.undeliveredMessages),
    );
    const lines = this.#early.length + Math.max(0, ...perPartner);
    const names = new Set([
      ...this.#earlyFiles.map((path) => printableText(basename(path))),
      ...[...this.#outgoing].map(({ name }) => name),
    ]);
    const all = lines === 0 ? [] : [lines === 1 ? '1 line' : `${lines} lines`];
    all.push(...names);
    return all.length === 0 ? undefined : all.join(', ');
  }

  #here(): Partner[] {
    return [...this.#partners].filter(({ isShown }) => isShown);
  }

  #handleState(partner: Partner): void {
    const { peer } = partner;
    const { view } = this.#options;
    if (!this.#partners.has(partner) || this.#isLeaving) return;
    if (peer.state === 'open') {
      if (!partner.isShown) {
        partner.isShown = true;
        view.partner(partner.who, {
          isBrowser: peer.kind === 'browser',
          isAuthenticated: peer.isAuthenticated,
        });
        if (peer.path !== undefined) view.path(partner.who, peer.path);
        const lines = new Set([...this.#early.splice(0), ...partner.pending.splice(0)]);
        for (const { text } of [...lines].sort((a, b) => a.number - b.number)) {
          void this.#deliver(partner, text);
        }
        for (const path of this.#earlyFiles.splice(0)) void this.#send(partner, path);
      } else if (!partner.isUp) view.partnerConnection(partner.who, true);
      partner.isUp = true;
    } else if (peer.state === 'connecting') {
      if (partner.isUp) view.partnerConnection(partner.who, false);
      partner.isUp = false;
    } else {
      this.#partners.delete(partner);
      if (peer.state === 'refused') view.refused(refusalText(peer));
    }
    this.#notify();
  }

  #handleName(partner: Partner): void {
    const before = partner.who.label;
    const label = this.#label(partner.peer, partner);
    if (label === before) return;
    partner.who = { id: partner.who.id, label };
    if (partner.isShown) this.#options.view.renamed(partner.who, before);
  }

  async #read(partner: Partner): Promise<void> {
    const { view } = this.#options;
    for await (const message of partner.peer.messages()) {
      if (typeof message === 'string') view.message(partner.who, message);
      else view.bytes(partner.who, message.length);
    }
    // All that it said comes before that it has left.
    if (partner.isShown && !this.#isLeaving) view.left(partner.who, leaveText(partner.peer));
  }

  async #deliver(partner: Partner, text: string): Promise<void> {
    partner.said += 1;
    try {
      await partner.peer.send(text);
    } catch (error) {
      // It has left meanwhile, as the view knows.
      if (!(error instanceof NatPunchError)) throw error;
    }
  }

  /** Nobody is here yet. */
  async #keep(path: string): Promise<void> {
    const { view } = this.#options;
    const name = printableText(path);
    if (this.#earlyFiles.length >= MAX_EARLY_FILES) {
      view.notice(
        `${name} is not kept: nobody is here, and ${MAX_EARLY_FILES} files wait already.`,
      );
      return;
    }
    try {
      await stat(pathOf(path));
    } catch (error) {
      view.notice(`${name} can't be sent: ${causeText(error)}.`);
      return;
    }
    const [first] = this.#here();
    if (first !== undefined) {
      await this.#send(first, path);
      return;
    }
    this.#earlyFiles.push(path);
    view.notice(`Nobody is here yet. ${name} is offered to whoever comes first.`);
  }

  async #send(partner: Partner, path: string): Promise<void> {
    const { view } = this.#options;
    let transfer: OutgoingTransfer;
    this.#opening += 1;
    try {
      transfer = await partner.peer.sendFile(pathOf(path));
    } catch (error) {
      view.notice(`${printableText(path)} can't be sent: ${causeText(error)}.`);
      return;
    } finally {
      this.#opening -= 1;
      this.#notify();
    }
    const file: FileView = {
      id: this.#nextFileId(),
      who: partner.who,
      direction: 'out',
      name: printableText(transfer.name),
      lengthBytes: transfer.lengthBytes,
    };
    this.#outgoing.add(file);
    view.fileOffered(file, false);
    transfer.onProgress = () => view.fileProgress(file, transfer.sentBytes);
    void transfer.ended.then((reason) => {
      this.#outgoing.delete(file);
      if (this.#isLeaving && reason !== undefined) return;
      if (reason === undefined) view.fileDone(file, undefined);
      else view.fileFailed(file, outgoingText(reason, partner.who));
    });
  }

  #handleOffer(partner: Partner, offer: IncomingTransfer): void {
    const { view, saveTo, maxFileBytes, isInteractive } = this.#options;
    const file: FileView = {
      id: this.#nextFileId(),
      who: partner.who,
      direction: 'in',
      name: printableText(offer.name).slice(0, 200),
      lengthBytes: offer.lengthBytes,
    };
    const question = { file, offer };
    let refusal: string | undefined;
    if (offer.lengthBytes > maxFileBytes) {
      refusal = `refused, since it has ${formatSize(offer.lengthBytes)} and --max-file allows ${formatSize(maxFileBytes)}.`;
      offer.refuse('too-large');
    } else if (saveTo === undefined && !isInteractive) {
      refusal = 'refused, since nobody can be asked; --save-to FOLDER takes files without asking.';
      offer.refuse('declined');
    }
    void offer.ended.then((end) => {
      const isUnknown = this.#questions.isWaiting(question);
      if ('path' in end) view.fileDone(file, end.path);
      else if (!this.#isLeaving && !isUnknown) {
        view.fileFailed(
          file,
          refusal ?? incomingText(end.reason, end.cause, partner.who, offer.receivedBytes),
        );
      }
      this.#questions.drop(question);
    });
    if (refusal !== undefined) return;
    if (saveTo === undefined) this.#questions.ask(question);
    else {
      view.fileOffered(file, false);
      this.#accept(question, saveTo);
    }
  }

  #accept({ file, offer }: FileQuestion, folder: string): void {
    offer.onProgress = () => this.#options.view.fileProgress(file, offer.receivedBytes);
    offer.accept(resolve(folder));
  }

  #nextFileId(): number {
    this.#lastFileId += 1;
    return this.#lastFileId;
  }

  /** Its name, or `partner`; with a number where somebody else has that already. */
  #label(peer: PoolPeer, own?: Partner): string {
    const name = [...printableText(peer.name ?? '').trim()].slice(0, MAX_LABEL_CHARACTERS).join('');
    const wanted = name === '' ? 'partner' : name;
    const taken = new Set(
      [...this.#partners].filter((one) => one !== own).map(({ who }) => who.label),
    );
    for (let number = 1; ; number += 1) {
      const label = number === 1 ? wanted : `${wanted} ${number}`;
      if (!taken.has(label)) return label;
    }
  }

  #changed(): Promise<void> {
    return new Promise((wake) => this.#waiting.add(wake));
  }

  #notify(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}

/** No shell has been here to know what `~` is. */
function pathOf(typed: string): string {
  return /^~[/\\]/.test(typed) ? join(homedir(), typed.slice(2)) : resolve(typed);
}

/** A text in messages that are short enough, none of which ends within a character. */
function parts(text: string): string[] {
  if (Buffer.byteLength(text) <= MAX_TEXT_BYTES) return [text];
  const all: string[] = [];
  let part = '';
  let lengthBytes = 0;
  for (const character of text) {
    const more = Buffer.byteLength(character);
    if (lengthBytes + more > MAX_TEXT_BYTES) {
      all.push(part);
      part = '';
      lengthBytes = 0;
    }
    part += character;
    lengthBytes += more;
  }
  return [...all, part];
}

function refusalText({ refusal }: PoolPeer): string {
  switch (refusal) {
    case 'no-phrase':
      return 'Somebody came, but only one of you uses a phrase, and was not let in.';
    case 'other-identity':
      return 'Somebody else came in the place of a partner, and was not let in.';
    case 'wrong-commitment':
      return 'Somebody came who cheats with the short code, and was not let in.';
    default:
      return 'Somebody came with another phrase, and was not let in.';
  }
}

function leaveText({ closeReason, state }: PoolPeer): string {
  if (closeReason === 'invalid-message') return 'said what no partner says, and was cut off';
  return state === 'refused' ? 'could not show who they are, and was cut off' : 'left';
}

function outgoingText(reason: FileRefusal, { label }: Who): string {
  switch (reason) {
    case 'declined':
      return `${label} does not want it.`;
    case 'too-large':
      return `it is too large for ${label}.`;
    case 'too-many':
      return `${label} has too many files on the way; try again later.`;
    case 'unsupported':
      return `${label} can't take files.`;
    case 'cannot-write':
      return `${label} can't save it.`;
    case 'cannot-read':
      return "it can't be read any further.";
    case 'wrong-checksum':
      return 'its checksum was wrong at the other end; send it again.';
    case 'cancelled':
      return 'not sent to its end.';
  }
}

function incomingText(
  reason: FileRefusal,
  cause: unknown,
  { label }: Who,
  receivedBytes: number,
): string {
  switch (reason) {
    case 'cannot-write':
      return `it can't be saved: ${causeText(cause)}.`;
    case 'cannot-read':
      return `${label} can't read it any further.`;
    case 'wrong-checksum':
      return 'its checksum is wrong, so it is not kept.';
    case 'declined':
      return 'not taken.';
    default:
      return receivedBytes === 0
        ? 'nothing of it has come.'
        : 'it did not come to its end; what has come is kept for another try.';
  }
}

/** In a few words, without the path of the call. */
function causeText(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  switch (code) {
    case 'ENOENT':
      return 'there is no such file or folder';
    case 'EACCES':
    case 'EPERM':
      return 'it is not allowed';
    case 'EISDIR':
      return 'it is a folder';
    case 'ENOTDIR':
      return 'the folder is none';
    case 'ENOSPC':
      return 'the disk is full';
    default:
      return error instanceof NatPunchError ? error.message : (code ?? 'it fails');
  }
}
