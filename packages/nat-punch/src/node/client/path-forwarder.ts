// The forwarder between node-datachannel and a path: a UDP socket on loopback that is the one remote candidate its ICE knows. It answers the
// connectivity checks itself, so that ICE is done at once and never finds the path dead; only DTLS goes over the path.

import { randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { HandshakeFlight } from '../../channel/handshake-flight.ts';
import { answerCheck, type IceLiteCredentials } from '../../channel/ice-lite.ts';
import { NatPunchError } from '../../errors.ts';
import { RECEIVE_BUFFER_BYTES } from '../receive-buffer.ts';

export const LOOPBACK = '127.0.0.1';
/** RFC 7983 section 7: DTLS begins with these. */
const FIRST_DTLS_BYTE = 20;
const LAST_DTLS_BYTE = 63;
/** The other end may be a moment ahead of us: its first flight is kept. */
const MAX_EARLY_DATAGRAMS = 8;

export interface PathForwarderOptions {
  /** Over the path; dropped where there is none. */
  send(datagram: Uint8Array): void;
}

/** One forwarder for one PeerConnection. */
export class PathForwarder {
  readonly ice: IceLiteCredentials = {
    ufrag: randomBytes(4).toString('hex'),
    password: randomBytes(16).toString('hex'),
  };
  readonly #socket: Socket;
  readonly #send: (datagram: Uint8Array) => void;
  readonly #flight = new HandshakeFlight();
  /** The port of node-datachannel's ICE, which has proved itself by the password. */
  #port: number | undefined;
  /** Came over the path before that, or before the other end was trusted. */
  #early: Uint8Array[] = [];
  #isOpen = false;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  private constructor(socket: Socket, { send }: PathForwarderOptions) {
    this.#socket = socket;
    this.#send = send;
    socket.on('message', (datagram, { port }) => this.#handleLocal(datagram, port));
    // Loopback gives errors only when the other socket has gone away.
    socket.on('error', () => this.close());
  }

  static async open(options: PathForwarderOptions): Promise<PathForwarder> {
    const socket = createSocket({ type: 'udp4', recvBufferSize: RECEIVE_BUFFER_BYTES });
    socket.bind(0, LOOPBACK);
    try {
      await once(socket, 'listening');
    } catch (cause) {
      throw new NatPunchError('socket', 'no socket on loopback can be opened', { cause });
    }
    return new PathForwarder(socket, options);
  }

  /** As the remote candidate of a description. */
  get candidate(): string {
    return `candidate:1 1 UDP 2122317823 ${LOOPBACK} ${this.#socket.address().port} typ host`;
  }

  /** From here on DTLS goes over the path, and comes from it: before, the other end is not trusted. */
  open(): void {
    this.#isOpen = true;
    this.handlePath();
    for (const datagram of this.#early.splice(0)) this.handleDatagram(datagram);
  }

  /** A datagram came over the path. */
  handleDatagram(datagram: Uint8Array): void {
    const isDtls = datagram[0]! >= FIRST_DTLS_BYTE && datagram[0]! <= LAST_DTLS_BYTE;
    if (!isDtls || this.#isClosed) return;
    if (!this.#isOpen || this.#port === undefined) {
      if (this.#early.length < MAX_EARLY_DATAGRAMS) this.#early.push(datagram);
      return;
    }
    this.#flight.handleIncoming(datagram);
    this.#schedule();
    this.#socket.send(datagram, this.#port, LOOPBACK);
  }

  /** There is a path, or another one: what may have been lost goes again. */
  handlePath(): void {
    if (!this.#isOpen) return;
    for (const datagram of this.#flight.handlePath()) this.#send(datagram);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#socket.close();
  }

  #handleLocal(datagram: Uint8Array, port: number): void {
    if (datagram[0]! <= 3) {
      const answer = answerCheck(datagram, { address: LOOPBACK, port }, this.ice);
      if (answer === undefined) return;
      this.#socket.send(answer, port, LOOPBACK);
      this.#port = port;
      if (!this.#isOpen) return;
      for (const early of this.#early.splice(0)) this.handleDatagram(early);
    } else if (port === this.#port) {
      this.#flight.handleOutgoing(performance.now(), datagram);
      if (this.#isOpen) this.#send(datagram);
      this.#schedule();
    }
  }

  #schedule(): void {
    const deadline = this.#flight.deadline();
    clearTimeout(this.#timer);
    if (deadline === undefined) return;
    this.#timer = setTimeout(
      () => {
        for (const datagram of this.#flight.repeat(performance.now())) {
          if (this.#isOpen) this.#send(datagram);
        }
        this.#schedule();
      },
      Math.max(0, deadline - performance.now()),
    );
  }
}
