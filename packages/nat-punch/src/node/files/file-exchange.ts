// The files between us and one other member: joins the machines of `chat/file-transfer.ts` with the disk and the lane for files.

import type { FileHandle } from 'node:fs/promises';
import { basename } from 'node:path';
import {
  decodeFileFrame,
  encodeFileFrame,
  type FileFrame,
  type FileRefusal,
  MAX_CHUNK_BYTES,
  MAX_FILE_NAME_BYTES,
} from '../../chat/chat-frame.ts';
import { FileReceiver, FileSender, type OutgoingFile } from '../../chat/file-transfer.ts';
import { NatPunchError } from '../../errors.ts';
import { NodeFileHash, openPart, openSource, type PartFile } from './save-folder.ts';

/** Offers and files on their way, of one member in each direction; more are refused. */
export const MAX_TRANSFERS = 8;
/** When no more files are taken, one that is coming has to bring as much as a chunk in each such time. */
export const FILE_STALL_MS = 10_000;

/** A file that we send. */
export interface OutgoingTransfer {
  readonly name: string;
  readonly lengthBytes: number;
  /** That have been handed over; the other member has them when it has ended. */
  readonly sentBytes: number;
  readonly isAccepted: boolean;
  /** The other member has the whole file (undefined), or why not. */
  readonly ended: Promise<FileRefusal | undefined>;
  onProgress: (() => void) | undefined;
  cancel(): void;
}

/** A file that another member has offered. Take it or refuse it. */
export interface IncomingTransfer {
  /** As the other member calls it: not fit for a terminal, nor for a file system. */
  readonly name: string;
  readonly lengthBytes: number;
  readonly receivedBytes: number;
  /** Where it has been saved, or why not, with what the file system said if that was it. */
  readonly ended: Promise<IncomingEnd>;
  onProgress: (() => void) | undefined;
  /** Saves it in this folder under a name that is free there; goes on from what an earlier try has left. */
  accept(folder: string): void;
  /** Before it was accepted or while it comes. What has come is kept for another try. */
  refuse(reason?: FileRefusal): void;
}

export type IncomingEnd =
  | { readonly path: string }
  | { readonly reason: FileRefusal; readonly cause?: unknown };

export interface FileExchangeOptions {
  /** What the other member calls itself now; empty: nothing. */
  memberName(): string;
  /** Onto the lane; it is kept there until the other end has taken it. */
  send(message: Uint8Array): void;
  /** Has the lane sent most of what it was given? */
  hasRoom(): boolean;
  onOffer(offer: IncomingTransfer): void;
}

type OfferFrame = Extract<FileFrame, { type: 'offer' }>;

/** All files of one member. */
export class FileExchange {
  readonly #options: FileExchangeOptions;
  readonly #outgoing = new Map<number, Outgoing>();
  readonly #incoming = new Map<number, Incoming>();
  #lastTransfer = 0;
  #takesOffers = true;

  constructor(options: FileExchangeOptions) {
    this.#options = options;
  }

  /** Every file that we send has ended. */
  get hasSentAll(): boolean {
    return this.#outgoing.size === 0;
  }

  /** Refuses what is on offer, now and later. Resolves when none comes any more: those that are accepted may end, but not stall. */
  async takeNoMore(): Promise<void> {
    this.#takesOffers = false;
    await Promise.all([...this.#incoming.values()].map((incoming) => incoming.endOrStall()));
  }

  /**
   * Offers a file. Throws what the file system throws.
   *
   * @throws {NatPunchError} `refused` if `MAX_TRANSFERS` are on their way
   */
  async offer(path: string): Promise<OutgoingTransfer> {
    if (this.#outgoing.size >= MAX_TRANSFERS) {
      throw new NatPunchError('refused', `${MAX_TRANSFERS} files are on their way already`);
    }
    const { file, lengthBytes, key } = await openSource(path, this.#options.memberName());
    this.#lastTransfer += 1;
    const transfer = this.#lastTransfer;
    const outgoing = new Outgoing({ transfer, name: nameOf(path), lengthBytes, key }, file, {
      ...this.#options,
      onEnd: () => void this.#outgoing.delete(transfer),
    });
    this.#outgoing.set(transfer, outgoing);
    outgoing.run();
    return outgoing;
  }

  /**
   * A message of the lane. The next one is to come when this has been dealt with.
   *
   * @throws {NatPunchError} `invalid-message`
   */
  async handleMessage(message: Uint8Array): Promise<void> {
    const frame = decodeFileFrame(message);
    switch (frame.type) {
      case 'offer':
        this.#handleOffer(frame);
        return;
      case 'begin':
      case 'chunk':
      case 'end':
      case 'cancel':
        // One that has ended here may still be told of.
        await this.#incoming.get(frame.transfer)?.handleFrame(frame);
        return;
      case 'accept':
      case 'refuse':
      case 'done': {
        const outgoing = this.#outgoing.get(frame.transfer);
        if (outgoing !== undefined) outgoing.handleFrame(frame);
        // A receiver that gives up what it has been told the end of.
        else if (frame.type === 'accept')
          throw new NatPunchError('invalid-message', 'no such file');
        return;
      }
    }
  }

  /** The lane has room again. */
  handleRoom(): void {
    for (const outgoing of this.#outgoing.values()) outgoing.run();
  }

  /** The member is gone: all that is on its way has ended. */
  async close(): Promise<void> {
    const all = [...this.#outgoing.values(), ...this.#incoming.values()];
    await Promise.all(all.map((one) => one.drop()));
  }

  #handleOffer(frame: OfferFrame): void {
    const { transfer } = frame;
    if (this.#incoming.has(transfer)) throw new NatPunchError('invalid-message', 'offered twice');
    const reason = !this.#takesOffers
      ? 'declined'
      : this.#incoming.size >= MAX_TRANSFERS
        ? 'too-many'
        : undefined;
    if (reason !== undefined) {
      this.#options.send(encodeFileFrame({ type: 'refuse', transfer, reason }));
      return;
    }
    const incoming = new Incoming(frame, {
      send: this.#options.send,
      onEnd: () => void this.#incoming.delete(transfer),
    });
    this.#incoming.set(transfer, incoming);
    this.#options.onOffer(incoming);
  }
}

class Outgoing implements OutgoingTransfer {
  readonly name: string;
  readonly lengthBytes: number;
  readonly ended: Promise<FileRefusal | undefined>;
  onProgress: (() => void) | undefined;
  readonly #machine: FileSender;
  readonly #file: FileHandle;
  readonly #options: Pick<FileExchangeOptions, 'send' | 'hasRoom'> & { onEnd(): void };
  #resolve!: (reason: FileRefusal | undefined) => void;
  #read: { readonly offset: number; readonly lengthBytes: number } | undefined;
  #isReading = false;
  #hasEnded = false;

  constructor(
    offer: Omit<OutgoingFile, 'createHash'>,
    file: FileHandle,
    options: Pick<FileExchangeOptions, 'send' | 'hasRoom'> & { onEnd(): void },
  ) {
    this.name = offer.name;
    this.lengthBytes = offer.lengthBytes;
    this.#file = file;
    this.#options = options;
    this.#machine = new FileSender({ ...offer, createHash: () => new NodeFileHash() });
    this.ended = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  get sentBytes(): number {
    return this.#machine.sentBytes;
  }

  get isAccepted(): boolean {
    return this.#machine.state !== 'offered';
  }

  cancel(): void {
    this.#machine.cancel('cancelled');
    this.run();
  }

  handleFrame(frame: FileFrame): void {
    this.#machine.handleFrame(frame);
    this.run();
  }

  /** Does what the machine wants, as far as the lane has room. */
  run(): void {
    for (let step = this.#machine.poll(); step; step = this.#machine.poll()) {
      if (step.type === 'send') this.#options.send(encodeFileFrame(step.frame));
      else if (step.type === 'read') this.#read = step;
      else this.#end(step.reason);
    }
    if (this.#read === undefined || this.#isReading || this.#hasEnded) return;
    if (this.#options.hasRoom()) void this.#readNow(this.#read);
  }

  async drop(): Promise<void> {
    this.#end('cancelled');
  }

  async #readNow(read: { readonly offset: number; readonly lengthBytes: number }): Promise<void> {
    this.#isReading = true;
    this.#read = undefined;
    const buffer = new Uint8Array(read.lengthBytes);
    try {
      const { bytesRead } = await this.#file.read(buffer, 0, read.lengthBytes, read.offset);
      this.#machine.handleRead(buffer.subarray(0, bytesRead));
    } catch {
      this.#machine.cancel('cannot-read');
    }
    this.#isReading = false;
    if (this.#hasEnded) return;
    this.onProgress?.();
    this.run();
  }

  #end(reason: FileRefusal | undefined): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    void this.#file.close().catch(() => {});
    this.#options.onEnd();
    this.#resolve(reason);
  }
}

class Incoming implements IncomingTransfer {
  readonly name: string;
  readonly lengthBytes: number;
  readonly ended: Promise<IncomingEnd>;
  onProgress: (() => void) | undefined;
  readonly #key: Uint8Array;
  readonly #machine: FileReceiver;
  readonly #options: Pick<FileExchangeOptions, 'send'> & { onEnd(): void };
  #resolve!: (end: IncomingEnd) => void;
  #part: PartFile | undefined;
  #isDecided = false;
  #hasEnded = false;

  constructor(
    { transfer, name, lengthBytes, key }: OfferFrame,
    options: Pick<FileExchangeOptions, 'send'> & { onEnd(): void },
  ) {
    this.name = name;
    this.lengthBytes = lengthBytes;
    // The message that it came in is not kept.
    this.#key = key.slice();
    this.#options = options;
    this.#machine = new FileReceiver({
      transfer,
      lengthBytes,
      createHash: () => new NodeFileHash(),
    });
    this.ended = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  get receivedBytes(): number {
    return this.#machine.receivedBytes;
  }

  accept(folder: string): void {
    if (this.#isDecided) return;
    this.#isDecided = true;
    void this.#open(folder);
  }

  refuse(reason: FileRefusal = 'declined'): void {
    this.#isDecided = true;
    this.#machine.refuse(reason);
    void this.#run();
  }

  async handleFrame(frame: FileFrame): Promise<void> {
    this.#machine.handleFrame(frame);
    await this.#run();
  }

  /** Resolves when it has ended, which it does at the latest when it stalls. */
  async endOrStall(): Promise<void> {
    if (!this.#isDecided) this.refuse();
    let bytesBefore = this.receivedBytes;
    const timer = setInterval(() => {
      // Then it waits for our disk, and not for the other member.
      if (this.#machine.state === 'saving') return;
      if (this.receivedBytes - bytesBefore < MAX_CHUNK_BYTES) this.refuse('cancelled');
      bytesBefore = this.receivedBytes;
    }, FILE_STALL_MS);
    await this.ended;
    clearInterval(timer);
  }

  async drop(): Promise<void> {
    await this.#end({ reason: 'cancelled' });
  }

  async #open(folder: string): Promise<void> {
    try {
      const { name, lengthBytes } = this;
      const part = await openPart(folder, { name, lengthBytes, key: this.#key });
      // It may have been cancelled meanwhile.
      if (this.#hasEnded) {
        await part.close();
        return;
      }
      this.#part = part;
      this.#machine.accept(part.lengthBytes, part.hash);
    } catch (cause) {
      this.#machine.refuse('cannot-write');
      await this.#run(cause);
      return;
    }
    await this.#run();
  }

  async #run(cause?: unknown): Promise<void> {
    try {
      for (let step = this.#machine.poll(); step; step = this.#machine.poll()) {
        if (step.type === 'send') this.#options.send(encodeFileFrame(step.frame));
        else if (step.type === 'write') {
          await this.#part?.append(step.bytes);
          if (!this.#hasEnded) this.onProgress?.();
        } else if (step.type === 'restart') await this.#part?.restart();
        else if (step.type === 'discard') await this.#part?.discard();
        else if (step.type === 'save') {
          const path = await this.#part!.save();
          this.#machine.handleSaved();
          await this.#end({ path });
        } else if (step.reason !== undefined) {
          await this.#end({ reason: step.reason, ...(cause === undefined ? {} : { cause }) });
        }
      }
    } catch (error) {
      // The disk's word; of the machine's own errors none comes from here.
      this.#machine.refuse('cannot-write');
      if (cause === undefined) await this.#run(error);
    }
  }

  async #end(end: IncomingEnd): Promise<void> {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    await this.#part?.close().catch(() => {});
    this.#options.onEnd();
    this.#resolve(end);
  }
}

/** The last part of the path, shortened to what a name may have. */
function nameOf(path: string): string {
  const characters = [...basename(path)];
  while (Buffer.byteLength(characters.join('')) > MAX_FILE_NAME_BYTES) characters.pop();
  return characters.join('');
}
