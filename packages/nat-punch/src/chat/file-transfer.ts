// One file on its way, either end: machines without files or hashes of their own. The sender reads and the receiver writes in order, one
// step at a time, so that a slow disk or a slow path holds up the other end. What is there of an earlier try is sent again only where its
// SHA-256 says that it is not the beginning of this file; the whole file's SHA-256 comes last.
import { NatPunchError } from '../errors.ts';
import { type FileFrame, type FileRefusal, MAX_CHUNK_BYTES } from './chat-frame.ts';

/** What is asked of the disk at a time. */
export const READ_BYTES = 8 * MAX_CHUNK_BYTES;

/** SHA-256, bit by bit. */
export interface FileHash {
  update(bytes: Uint8Array): void;
  /** Of what it has been given so far; it can be given more. */
  digest(): Uint8Array;
}

export type SenderStep =
  | { readonly type: 'send'; readonly frame: FileFrame }
  /** Read so much there and give it to `handleRead`. */
  | { readonly type: 'read'; readonly offset: number; readonly lengthBytes: number }
  /** The receiver has it whole, or it ended before. Nothing follows. */
  | { readonly type: 'ended'; readonly reason: FileRefusal | undefined };

export interface OutgoingFile {
  readonly transfer: number;
  readonly name: string;
  readonly lengthBytes: number;
  /** `FILE_KEY_BYTES`, as the frame `offer` says. */
  readonly key: Uint8Array;
  createHash(): FileHash;
}

/** The end that has the file. */
export class FileSender {
  readonly #file: OutgoingFile;
  #state: 'offered' | 'checking' | 'sending' | 'sent' | 'ended' = 'offered';
  readonly #steps: SenderStep[] = [];
  #hash: FileHash;
  #offset = 0;
  #asked: { readonly offset: number; readonly checksum: Uint8Array } | undefined;
  #isReading = false;

  constructor(file: OutgoingFile) {
    this.#file = file;
    this.#hash = file.createHash();
    const { transfer, lengthBytes, key, name } = file;
    this.#send({ type: 'offer', transfer, lengthBytes, key, name });
  }

  /** Bytes that have been handed over for sending, or that the receiver had. */
  get sentBytes(): number {
    return this.#state === 'checking' ? 0 : this.#offset;
  }

  get state(): 'offered' | 'checking' | 'sending' | 'sent' | 'ended' {
    return this.#state;
  }

  /** @throws {NatPunchError} `invalid-message` if the receiver says what makes no sense now */
  handleFrame(frame: FileFrame): void {
    if (this.#state === 'ended') return;
    switch (frame.type) {
      case 'accept':
        if (this.#state !== 'offered') throw broken('an accept of a file that it has accepted');
        if (frame.offset > this.#file.lengthBytes) throw broken('an accept beyond the end');
        this.#asked = { offset: frame.offset, checksum: frame.checksum.slice() };
        this.#state = 'checking';
        this.#goOn();
        return;
      case 'refuse':
        this.#end(frame.reason);
        return;
      case 'done':
        if (this.#state !== 'sent') throw broken('a done of a file that has not been sent');
        this.#end(undefined);
        return;
      default:
        throw broken(`a frame ${frame.type} that is for a receiver`);
    }
  }

  /** What the `read` before gave; fewer bytes than asked for are the end of a file that has become shorter. */
  handleRead(bytes: Uint8Array): void {
    this.#isReading = false;
    if (this.#state !== 'checking' && this.#state !== 'sending') return;
    if (bytes.length === 0) {
      this.cancel('cannot-read');
      return;
    }
    this.#hash.update(bytes);
    this.#offset += bytes.length;
    if (this.#state === 'sending') {
      for (let at = 0; at < bytes.length; at += MAX_CHUNK_BYTES) {
        const chunk = bytes.subarray(at, at + MAX_CHUNK_BYTES);
        this.#send({ type: 'chunk', transfer: this.#file.transfer, bytes: chunk });
      }
    }
    this.#goOn();
  }

  /** The file can't be read, or is not to be sent any more. */
  cancel(reason: FileRefusal): void {
    if (this.#state === 'ended') return;
    this.#send({ type: 'cancel', transfer: this.#file.transfer, reason });
    this.#end(reason);
  }

  poll(): SenderStep | undefined {
    return this.#steps.shift();
  }

  #goOn(): void {
    const { lengthBytes, transfer } = this.#file;
    const asked = this.#asked!;
    if (this.#state === 'checking' && this.#offset === asked.offset) {
      if (asked.offset > 0 && !areEqual(this.#hash.digest(), asked.checksum)) {
        this.#hash = this.#file.createHash();
        this.#offset = 0;
      }
      this.#send({ type: 'begin', transfer, offset: this.#offset });
      this.#state = 'sending';
    }
    const end = this.#state === 'checking' ? asked.offset : lengthBytes;
    if (this.#offset < end) this.#read(Math.min(READ_BYTES, end - this.#offset));
    else if (this.#state === 'sending') {
      this.#send({ type: 'end', transfer, checksum: this.#hash.digest() });
      this.#state = 'sent';
    }
  }

  #read(lengthBytes: number): void {
    if (this.#isReading) return;
    this.#isReading = true;
    this.#steps.push({ type: 'read', offset: this.#offset, lengthBytes });
  }

  #send(frame: FileFrame): void {
    this.#steps.push({ type: 'send', frame });
  }

  #end(reason: FileRefusal | undefined): void {
    this.#state = 'ended';
    this.#steps.push({ type: 'ended', reason });
  }
}

export type ReceiverStep =
  | { readonly type: 'send'; readonly frame: FileFrame }
  /** What there is of an earlier try is not the beginning of this file: begin anew, elsewhere. */
  | { readonly type: 'restart' }
  /** Drop what has been written since then or since the offer: it is not what the sender says. */
  | { readonly type: 'discard' }
  /** Append this. */
  | { readonly type: 'write'; readonly bytes: Uint8Array }
  /** It is whole and right: give it its name, then call `handleSaved`. */
  | { readonly type: 'save' }
  /** Nothing follows. */
  | { readonly type: 'ended'; readonly reason: FileRefusal | undefined };

export interface IncomingFile {
  readonly transfer: number;
  readonly lengthBytes: number;
  createHash(): FileHash;
}

/** The end that gets the file. */
export class FileReceiver {
  readonly #file: IncomingFile;
  #state: 'offered' | 'accepted' | 'receiving' | 'saving' | 'ended' = 'offered';
  readonly #steps: ReceiverStep[] = [];
  #hash: FileHash;
  #offset = 0;

  constructor(file: IncomingFile) {
    this.#file = file;
    this.#hash = file.createHash();
  }

  get receivedBytes(): number {
    return this.#offset;
  }

  get state(): 'offered' | 'accepted' | 'receiving' | 'saving' | 'ended' {
    return this.#state;
  }

  /**
   * Take it.
   *
   * @param offset bytes that are there of an earlier try
   * @param hash that has been given those
   */
  accept(offset = 0, hash: FileHash = this.#hash): void {
    if (this.#state !== 'offered') return;
    const isUsable = offset <= this.#file.lengthBytes;
    this.#hash = isUsable ? hash : this.#file.createHash();
    this.#offset = isUsable ? offset : 0;
    this.#state = 'accepted';
    this.#send({
      type: 'accept',
      transfer: this.#file.transfer,
      offset: this.#offset,
      checksum: this.#hash.digest(),
    });
  }

  /** Don't take it, or not any further. */
  refuse(reason: FileRefusal): void {
    if (this.#state === 'ended') return;
    this.#send({ type: 'refuse', transfer: this.#file.transfer, reason });
    this.#end(reason);
  }

  /** @throws {NatPunchError} `invalid-message` if the sender says what makes no sense now */
  handleFrame(frame: FileFrame): void {
    // What was on its way when we refused.
    if (this.#state === 'ended') return;
    switch (frame.type) {
      case 'begin':
        this.#begin(frame.offset);
        return;
      case 'chunk':
        if (this.#state !== 'receiving') throw broken('a chunk of a file that has not begun');
        if (this.#offset + frame.bytes.length > this.#file.lengthBytes) {
          throw broken('more of a file than it announced');
        }
        this.#hash.update(frame.bytes);
        this.#offset += frame.bytes.length;
        this.#steps.push({ type: 'write', bytes: frame.bytes });
        return;
      case 'end':
        if (this.#state !== 'receiving' || this.#offset !== this.#file.lengthBytes) {
          throw broken('the end of a file that is not all there');
        }
        if (areEqual(this.#hash.digest(), frame.checksum)) {
          this.#state = 'saving';
          this.#steps.push({ type: 'save' });
        } else {
          this.#steps.push({ type: 'discard' });
          this.refuse('wrong-checksum');
        }
        return;
      case 'cancel':
        this.#end(frame.reason);
        return;
      default:
        throw broken(`a frame ${frame.type} that is for a sender`);
    }
  }

  /** It has its name. */
  handleSaved(): void {
    if (this.#state !== 'saving') return;
    this.#send({ type: 'done', transfer: this.#file.transfer });
    this.#end(undefined);
  }

  poll(): ReceiverStep | undefined {
    return this.#steps.shift();
  }

  #begin(offset: number): void {
    if (this.#state !== 'accepted') throw broken('the beginning of a file that is not asked for');
    if (offset !== this.#offset) {
      if (offset !== 0) throw broken('a file from another offset than asked for');
      this.#hash = this.#file.createHash();
      this.#offset = 0;
      this.#steps.push({ type: 'restart' });
    }
    this.#state = 'receiving';
  }

  #send(frame: FileFrame): void {
    this.#steps.push({ type: 'send', frame });
  }

  #end(reason: FileRefusal | undefined): void {
    this.#state = 'ended';
    this.#steps.push({ type: 'ended', reason });
  }
}

function areEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

function broken(what: string): NatPunchError {
  return new NatPunchError('invalid-message', `the other end sent ${what}`);
}
