// The files between a page and one other member: those that come are held in memory until they are whole, and then saved by the browser.

import {
  decodeFileFrame,
  encodeFileFrame,
  FILE_KEY_BYTES,
  type FileFrame,
  type FileHash,
  FileReceiver,
  type FileRefusal,
  FileSender,
  safeFileName,
} from '@bt/nat-punch';
import { sha256 } from '@noble/hashes/sha2.js';

/** What a page takes: it has no disk of its own. */
export const MAX_PAGE_FILE_BYTES = 512 * 1024 * 1024;
/** Offers and files on their way, in each direction. */
const MAX_TRANSFERS = 8;

/** A file on its way. */
export interface PageFile {
  readonly name: string;
  readonly lengthBytes: number;
  doneBytes: number;
  state: 'offered' | 'moving' | 'done' | 'failed';
  reason: FileRefusal | undefined;
  /** What has come, when it is whole. */
  content: Blob | undefined;
  onChange: () => void;
}

export interface IncomingPageFile extends PageFile {
  accept(): void;
  refuse(): void;
}

export interface PageFilesOptions {
  send(message: Uint8Array<ArrayBuffer>): void;
  /** Has most of what was sent been taken? */
  hasRoom(): boolean;
  onOffer(file: IncomingPageFile): void;
}

interface Outgoing {
  readonly machine: FileSender;
  readonly source: File;
  readonly shown: PageFile;
  read: { readonly offset: number; readonly lengthBytes: number } | undefined;
  isReading: boolean;
}

interface Incoming {
  readonly machine: FileReceiver;
  readonly shown: PageFile;
  chunks: Uint8Array<ArrayBuffer>[];
}

export class PageFiles {
  readonly #options: PageFilesOptions;
  readonly #outgoing = new Map<number, Outgoing>();
  readonly #incoming = new Map<number, Incoming>();
  #lastTransfer = 0;

  constructor(options: PageFilesOptions) {
    this.#options = options;
  }

  /** Undefined when too many are on their way. */
  offer(source: File): PageFile | undefined {
    if (this.#outgoing.size >= MAX_TRANSFERS) return undefined;
    this.#lastTransfer += 1;
    const transfer = this.#lastTransfer;
    const name = safeFileName(source.name);
    const shown = newFile(name, source.size);
    const lengthBytes = source.size;
    const key = keyOf(source);
    const machine = new FileSender({ transfer, name, lengthBytes, key, createHash });
    const outgoing = { machine, source, shown, read: undefined, isReading: false };
    this.#outgoing.set(transfer, outgoing);
    this.#run(transfer, outgoing);
    return shown;
  }

  /** Throws what is no message of a file. */
  handleMessage(message: Uint8Array): void {
    const frame = decodeFileFrame(message);
    const { transfer } = frame;
    switch (frame.type) {
      case 'offer':
        this.#handleOffer(frame);
        break;
      case 'begin':
      case 'chunk':
      case 'end':
      case 'cancel': {
        const incoming = this.#incoming.get(transfer);
        if (incoming === undefined) break;
        incoming.machine.handleFrame(frame);
        this.#receive(transfer, incoming);
        break;
      }
      default: {
        const outgoing = this.#outgoing.get(transfer);
        if (outgoing === undefined) break;
        outgoing.machine.handleFrame(frame);
        this.#run(transfer, outgoing);
      }
    }
  }

  handleRoom(): void {
    for (const [transfer, outgoing] of this.#outgoing) this.#run(transfer, outgoing);
  }

  /** The member is gone. */
  close(): void {
    for (const { shown } of [...this.#outgoing.values(), ...this.#incoming.values()]) {
      finish(shown, 'cancelled');
    }
    this.#outgoing.clear();
    this.#incoming.clear();
  }

  #handleOffer({ transfer, name, lengthBytes }: Extract<FileFrame, { type: 'offer' }>): void {
    if (this.#incoming.has(transfer)) throw new Error('offered twice');
    const reason =
      this.#incoming.size >= MAX_TRANSFERS
        ? 'too-many'
        : lengthBytes > MAX_PAGE_FILE_BYTES
          ? 'too-large'
          : undefined;
    if (reason !== undefined) {
      this.#send({ type: 'refuse', transfer, reason });
      return;
    }
    const machine = new FileReceiver({ transfer, lengthBytes, createHash });
    const shown = newFile(safeFileName(name), lengthBytes);
    const incoming: Incoming = { machine, shown, chunks: [] };
    this.#incoming.set(transfer, incoming);
    this.#options.onOffer(
      Object.assign(shown, {
        accept: () => {
          shown.state = 'moving';
          machine.accept();
          this.#receive(transfer, incoming);
        },
        refuse: () => {
          machine.refuse('declined');
          this.#receive(transfer, incoming);
        },
      }),
    );
  }

  #receive(transfer: number, incoming: Incoming): void {
    const { machine, shown } = incoming;
    for (let step = machine.poll(); step; step = machine.poll()) {
      if (step.type === 'send') this.#send(step.frame);
      else if (step.type === 'write') incoming.chunks.push(step.bytes as Uint8Array<ArrayBuffer>);
      else if (step.type === 'restart' || step.type === 'discard') incoming.chunks = [];
      else if (step.type === 'save') {
        shown.content = new Blob(incoming.chunks);
        machine.handleSaved();
      } else {
        this.#incoming.delete(transfer);
        finish(shown, step.reason);
        return;
      }
    }
    shown.doneBytes = machine.receivedBytes;
    shown.onChange();
  }

  #run(transfer: number, outgoing: Outgoing): void {
    const { machine, shown } = outgoing;
    for (let step = machine.poll(); step; step = machine.poll()) {
      if (step.type === 'send') this.#send(step.frame);
      else if (step.type === 'read') outgoing.read = step;
      else {
        this.#outgoing.delete(transfer);
        finish(shown, step.reason);
        return;
      }
    }
    if (machine.state !== 'offered') shown.state = 'moving';
    shown.doneBytes = machine.sentBytes;
    shown.onChange();
    const { read } = outgoing;
    if (read === undefined || outgoing.isReading || !this.#options.hasRoom()) return;
    outgoing.isReading = true;
    outgoing.read = undefined;
    outgoing.source
      .slice(read.offset, read.offset + read.lengthBytes)
      .arrayBuffer()
      .then((bytes) => machine.handleRead(new Uint8Array(bytes)))
      .catch(() => machine.cancel('cannot-read'))
      .finally(() => {
        outgoing.isReading = false;
        if (this.#outgoing.get(transfer) === outgoing) this.#run(transfer, outgoing);
      });
  }

  #send(frame: FileFrame): void {
    this.#options.send(encodeFileFrame(frame) as Uint8Array<ArrayBuffer>);
  }
}

function newFile(name: string, lengthBytes: number): PageFile {
  return {
    name,
    lengthBytes,
    doneBytes: 0,
    state: 'offered',
    reason: undefined,
    content: undefined,
    onChange: () => {},
  };
}

function finish(file: PageFile, reason: FileRefusal | undefined): void {
  file.state = reason === undefined ? 'done' : 'failed';
  file.reason = reason;
  if (reason === undefined) file.doneBytes = file.lengthBytes;
  file.onChange();
}

/** All that a page knows of a file, which is the same after a reload too. */
function keyOf({ name, size, lastModified }: File): Uint8Array {
  const facts = JSON.stringify([name, size, lastModified]);
  return sha256(new TextEncoder().encode(facts)).subarray(0, FILE_KEY_BYTES);
}

function createHash(): FileHash {
  const hash = sha256.create();
  return { update: (bytes) => void hash.update(bytes), digest: () => hash.clone().digest() };
}
