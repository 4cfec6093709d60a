// Messages that outlive their channel: numbered, kept until the other end has taken them, and sent again over the next channel, so that
// each arrives once and in order. A machine without I/O; the channels below it are reliable and ordered themselves, but die.
//
// Frames: 1 hello (stream, number of the oldest message kept, the other's stream, number expected of it), 2 data (number, message),
// 3 taken (number expected). Numbers are 48 bits, streams 8 random bytes that name one life of one end.
import { NatPunchError } from '../errors.ts';

/** The longest message, which a browser's data channel also takes with its header. */
export const MAX_MESSAGE_BYTES = 64 * 1024;
/** What one end has on its way or untaken at the other end; more than that breaks the protocol. */
export const MAX_UNTAKEN_BYTES = 4 * 1024 * 1024;
export const MAX_UNTAKEN_MESSAGES = 4096;
/** What is kept for sending: as much again as may be on its way. */
export const MAX_KEPT_BYTES = 8 * 1024 * 1024;
export const MAX_KEPT_MESSAGES = 16_384;
export const STREAM_BYTES = 8;

/** An empty message costs memory too. */
const MESSAGE_COST_BYTES = 64;
/** Taken messages are told one by one only when nothing else follows them. */
const TAKEN_DELAY_MS = 25;
const TAKEN_EACH_BYTES = 128 * 1024;
const TAKEN_EACH_MESSAGES = 64;

const HELLO = 1;
const DATA = 2;
const TAKEN = 3;
const NUMBER_BYTES = 6;
const HELLO_BYTES = 1 + 2 * (STREAM_BYTES + NUMBER_BYTES);
export const DATA_HEADER_BYTES = 1 + NUMBER_BYTES;

export interface ReliableMessagesOptions {
  /** `STREAM_BYTES` random bytes, not all zero: this life of this end. */
  readonly stream: Uint8Array;
}

/** One end of one stream of messages in each direction. */
export class ReliableMessages {
  readonly #stream: Uint8Array;
  // Sending: #kept[0] has the number #base; those before #next were sent over the channel there is now.
  readonly #kept = new Queue();
  #base = 0;
  #next = 0;
  #nextBytes = 0;
  #hasChannel = false;
  #owesHello = false;
  /** The other end has said over this channel what it expects; on the first channel there is nothing to be said. */
  #knowsExpected = true;
  // Receiving.
  #peerStream: Uint8Array | undefined;
  readonly #arrived = new Queue();
  /** The number of the next message to come in, and of the next to be taken: below 0 while messages of the other end's last life wait. */
  #expected = 0;
  #taken = 0;
  #toldTaken = 0;
  #untoldBytes = 0;
  #tellAt: number | undefined;

  constructor({ stream }: ReliableMessagesOptions) {
    this.#stream = stream;
  }

  /** Everything that was sent has been taken at the other end. */
  get isDrained(): boolean {
    return this.#kept.count === 0;
  }

  /** Messages that the other end has not taken yet, as far as we know. */
  get keptMessages(): number {
    return this.#kept.count;
  }

  get keptBytes(): number {
    return this.#kept.bytes;
  }

  /** Does a message of this length find room? */
  canSend(lengthBytes: number): boolean {
    return (
      this.#kept.count < MAX_KEPT_MESSAGES &&
      this.#kept.bytes + lengthBytes + MESSAGE_COST_BYTES <= MAX_KEPT_BYTES
    );
  }

  /**
   * Keeps the message until the other end has taken it. It isn't copied.
   *
   * @returns false if there is no room: nothing was kept
   * @throws {NatPunchError} `invalid-argument` if it is longer than `MAX_MESSAGE_BYTES`
   */
  send(message: Uint8Array): boolean {
    if (message.length > MAX_MESSAGE_BYTES) {
      throw new NatPunchError(
        'invalid-argument',
        `a message of ${message.length} bytes is longer than ${MAX_MESSAGE_BYTES}`,
      );
    }
    if (!this.canSend(message.length)) return false;
    this.#kept.push(message);
    return true;
  }

  /** There is a new channel, and nothing was sent over it yet. */
  handleOpen(): void {
    const isFirst = this.#next === 0 && this.#peerStream === undefined;
    this.#hasChannel = true;
    this.#owesHello = true;
    this.#knowsExpected = isFirst;
    this.#next = this.#base;
    this.#nextBytes = 0;
    this.#tellAt = undefined;
  }

  /** The channel is gone, with whatever was on its way. */
  handleClose(): void {
    this.#hasChannel = false;
    this.#tellAt = undefined;
  }

  /**
   * A frame came in over the channel.
   *
   * @throws {NatPunchError} `invalid-message` if it breaks the protocol; the channel is then of no use
   */
  handleFrame(now: number, frame: Uint8Array): void {
    switch (frame[0]) {
      case HELLO:
        this.#handleHello(frame);
        return;
      case DATA:
        this.#handleData(now, frame);
        return;
      case TAKEN:
        if (frame.length !== 1 + NUMBER_BYTES) throw broken('a taken frame of a wrong length');
        this.#handleExpected(readNumber(frame, 1));
        return;
      default:
        throw broken('an unknown frame');
    }
  }

  /** The next message in order; undefined while there is none. Until it is taken here the other end can't send much more. */
  take(now: number): Uint8Array | undefined {
    const message = this.#arrived.shift();
    if (message === undefined) return undefined;
    this.#taken += 1;
    this.#untoldBytes += message.length;
    this.#tellAt ??= now + TAKEN_DELAY_MS;
    return message;
  }

  /** The next frame to send over the channel; undefined when there is none now. Ask only while the channel takes frames. */
  poll(now: number): Uint8Array | undefined {
    if (!this.#hasChannel) return undefined;
    if (this.#owesHello) {
      this.#owesHello = false;
      this.#wasTold();
      return this.#hello();
    }
    if (this.#mustTell(now)) {
      this.#wasTold();
      const frame = new Uint8Array(1 + NUMBER_BYTES);
      frame[0] = TAKEN;
      writeNumber(frame, 1, Math.max(0, this.#taken));
      return frame;
    }
    return this.#nextData();
  }

  /** When to `poll` although nothing has happened; undefined: never. */
  deadline(): number | undefined {
    return this.#hasChannel ? this.#tellAt : undefined;
  }

  #hello(): Uint8Array {
    const frame = new Uint8Array(HELLO_BYTES);
    frame[0] = HELLO;
    frame.set(this.#stream, 1);
    writeNumber(frame, 1 + STREAM_BYTES, this.#base);
    if (this.#peerStream !== undefined) {
      frame.set(this.#peerStream, 1 + STREAM_BYTES + NUMBER_BYTES);
      writeNumber(frame, HELLO_BYTES - NUMBER_BYTES, Math.max(0, this.#taken));
    }
    return frame;
  }

  #nextData(): Uint8Array | undefined {
    if (!this.#knowsExpected) return undefined;
    const index = this.#next - this.#base;
    const message = this.#kept.at(index);
    if (message === undefined || index >= MAX_UNTAKEN_MESSAGES) return undefined;
    if (this.#nextBytes + message.length > MAX_UNTAKEN_BYTES) return undefined;
    const frame = new Uint8Array(DATA_HEADER_BYTES + message.length);
    frame[0] = DATA;
    writeNumber(frame, 1, this.#next);
    frame.set(message, DATA_HEADER_BYTES);
    this.#next += 1;
    this.#nextBytes += message.length;
    return frame;
  }

  #handleHello(frame: Uint8Array): void {
    if (frame.length !== HELLO_BYTES) throw broken('a hello of a wrong length');
    const stream = frame.slice(1, 1 + STREAM_BYTES);
    const base = readNumber(frame, 1 + STREAM_BYTES);
    const ours = frame.subarray(1 + STREAM_BYTES + NUMBER_BYTES, HELLO_BYTES - NUMBER_BYTES);
    if (this.#peerStream === undefined || !areEqual(stream, this.#peerStream)) {
      // Another life of the other end: what the last one sent and we have not taken is still good, its numbers are not.
      this.#peerStream = stream;
      this.#expected = base;
      this.#taken = base - this.#arrived.count;
    }
    this.#knowsExpected = true;
    if (areEqual(ours, this.#stream)) {
      this.#handleExpected(readNumber(frame, HELLO_BYTES - NUMBER_BYTES));
      this.#next = Math.max(this.#next, this.#base);
    }
  }

  #handleData(now: number, frame: Uint8Array): void {
    if (this.#peerStream === undefined) throw broken('data before a hello');
    if (frame.length < DATA_HEADER_BYTES || frame.length > DATA_HEADER_BYTES + MAX_MESSAGE_BYTES) {
      throw broken('a data frame of a wrong length');
    }
    const number = readNumber(frame, 1);
    // It came over an earlier channel already. That it was taken may have been lost.
    if (number < this.#expected) {
      this.#tellAt ??= now + TAKEN_DELAY_MS;
      return;
    }
    if (number > this.#expected) throw broken('a message is missing');
    const message = frame.slice(DATA_HEADER_BYTES);
    const isTooMuch =
      this.#arrived.count >= MAX_UNTAKEN_MESSAGES ||
      this.#arrived.lengths + message.length > MAX_UNTAKEN_BYTES;
    if (isTooMuch) throw broken('more messages than may be on their way');
    this.#expected += 1;
    this.#arrived.push(message);
  }

  /** The other end has taken everything before `number`. */
  #handleExpected(number: number): void {
    if (number > this.#base + this.#kept.count) throw broken('it took what was never sent');
    while (this.#base < number) {
      const message = this.#kept.shift();
      if (this.#base < this.#next) this.#nextBytes -= message?.length ?? 0;
      this.#base += 1;
    }
    this.#next = Math.max(this.#next, this.#base);
  }

  #mustTell(now: number): boolean {
    if (this.#taken === this.#toldTaken && this.#tellAt === undefined) return false;
    return (
      this.#taken - this.#toldTaken >= TAKEN_EACH_MESSAGES ||
      this.#untoldBytes >= TAKEN_EACH_BYTES ||
      (this.#tellAt !== undefined && this.#tellAt <= now)
    );
  }

  #wasTold(): void {
    this.#toldTaken = this.#taken;
    this.#untoldBytes = 0;
    this.#tellAt = undefined;
  }
}

/** First in, first out, without moving what stays. */
class Queue {
  #items: Uint8Array[] = [];
  #head = 0;
  /** Of the messages alone, and with what they cost beside. */
  lengths = 0;

  get count(): number {
    return this.#items.length - this.#head;
  }

  get bytes(): number {
    return this.lengths + this.count * MESSAGE_COST_BYTES;
  }

  at(index: number): Uint8Array | undefined {
    return this.#items[this.#head + index];
  }

  push(item: Uint8Array): void {
    this.#items.push(item);
    this.lengths += item.length;
  }

  shift(): Uint8Array | undefined {
    const item = this.#items[this.#head];
    if (item === undefined) return undefined;
    this.#items[this.#head] = EMPTY;
    this.#head += 1;
    this.lengths -= item.length;
    if (this.#head >= 1024 && this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }
}

const EMPTY = new Uint8Array(0);

function broken(what: string): NatPunchError {
  return new NatPunchError('invalid-message', `the other end sent ${what}`);
}

function readNumber(bytes: Uint8Array, at: number): number {
  let value = 0;
  for (let i = 0; i < NUMBER_BYTES; i += 1) value = value * 256 + bytes[at + i]!;
  return value;
}

function writeNumber(bytes: Uint8Array, at: number, value: number): void {
  let rest = value;
  for (let i = NUMBER_BYTES - 1; i >= 0; i -= 1) {
    bytes[at + i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
}

function areEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
