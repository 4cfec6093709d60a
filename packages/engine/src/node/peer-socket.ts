// A TCP socket as the transport of a peer. Writes of one turn are corked into one system call; what is read goes to the
// owner as it is, without a copy.

import type { Socket } from 'node:net';
import type { PeerTransport } from '../peer.ts';

/** What the owner of a socket hears. Never from inside a call to it. */
export interface SocketOwner {
  onWritable(): void;
  /** Once, after the last byte. `error` is Node's code, such as ECONNRESET. */
  onClosed(error: string | undefined): void;
}

/** A peer that doesn't read gets this long for what is still queued when we close. */
const LINGER_MS = 2_000;

export class PeerSocket implements PeerTransport {
  readonly #socket: Socket;
  #isCorked = false;
  #isClosing = false;

  constructor(socket: Socket, owner: SocketOwner) {
    this.#socket = socket;
    let failure: string | undefined;
    socket.setNoDelay(true);
    socket.on('drain', () => owner.onWritable());
    socket.on('error', (error: NodeJS.ErrnoException) => {
      failure = error.code ?? error.message;
    });
    socket.on('end', () => this.close());
    socket.on('close', () => owner.onClosed(failure));
  }

  get queuedBytes(): number {
    return this.#socket.writableLength;
  }

  send(bytes: Uint8Array): void {
    if (this.#isClosing) return;
    this.#cork();
    this.#socket.write(bytes);
  }

  sendBlock(header: Uint8Array, block: Uint8Array): void {
    if (this.#isClosing) return;
    this.#cork();
    this.#socket.write(header);
    this.#socket.write(block);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  close(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    if (this.#socket.writableLength === 0) {
      this.#socket.destroy();
      return;
    }
    this.#socket.destroySoon();
    setTimeout(() => this.#socket.destroy(), LINGER_MS).unref();
  }

  /** Everything that is written until the end of this turn leaves together. */
  #cork(): void {
    if (this.#isCorked) return;
    this.#isCorked = true;
    this.#socket.cork();
    process.nextTick(this.#uncork);
  }

  readonly #uncork = (): void => {
    this.#isCorked = false;
    this.#socket.uncork();
  };
}
