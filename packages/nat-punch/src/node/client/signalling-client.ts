// The signalling over a WebSocket: does what a `RendezvousClient` says, on Node's sockets and clock.
import { makeEndpoint } from '@bt/endpoint';
import { type ClientOptions, WebSocket } from 'ws';
import {
  RendezvousClient,
  type RendezvousClientEvent,
  type RendezvousClientOptions,
} from '../../rendezvous/rendezvous-client.ts';
import { MAX_SIGNALLING_BYTES } from '../../rendezvous/rendezvous-limits.ts';
import { SIGNALLING_PATH, type SignalData } from '../../rendezvous/rendezvous-message.ts';

export interface SignallingClientOptions extends RendezvousClientOptions {
  readonly server: { readonly host: string; readonly port: number };
  readonly tls: boolean;
  /** PEM certificates to trust instead of the system's. */
  readonly certificateAuthority?: string | undefined;
  readonly onEvent: (event: RendezvousClientEvent) => void;
  /** An attempt to connect has failed; another one follows. */
  readonly onFailure?: ((error: Error) => void) | undefined;
}

/** How long the last words may take before a connection is cut. */
const LAST_WORDS_MS = 1_000;

export class SignallingClient {
  readonly #options: SignallingClientOptions;
  readonly #machine: RendezvousClient;
  #socket: WebSocket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #serverAddress = '';

  /**
   * Begins to connect at once.
   *
   * @throws {NatPunchError} `invalid-argument` for a pool or a name that can't be one.
   */
  constructor(options: SignallingClientOptions) {
    this.#options = options;
    this.#machine = new RendezvousClient(options);
    // Not before the caller has what is constructed here.
    queueMicrotask(() => this.#wake());
  }

  /** The IP address that the latest connection goes to; empty before the first one. */
  get serverAddress(): string {
    return this.#serverAddress;
  }

  /** As {@link RendezvousClient.send}. */
  send(clientTag: string, data: SignalData): boolean {
    const isTaken = this.#machine.send(performance.now(), clientTag, data);
    this.#drain();
    return isTaken;
  }

  /** As {@link RendezvousClient.release}. */
  release(clientTag: string): void {
    this.#machine.release(clientTag);
    this.#drain();
  }

  /** As {@link RendezvousClient.reject}. */
  reject(clientTag: string): void {
    this.#machine.reject(clientTag);
    this.#drain();
  }

  /** Gives the place in the pool up, and ends. */
  leave(): void {
    this.#machine.leave();
    this.#drain();
  }

  #wake(): void {
    this.#machine.handleTimeout(performance.now());
    this.#drain();
  }

  #drain(): void {
    const machine = this.#machine;
    for (let effect = machine.poll(); effect !== undefined; effect = machine.poll()) {
      if (effect.type === 'connect') this.#connect();
      else if (effect.type === 'send') this.#socket?.send(effect.text);
      else if (effect.type === 'disconnect') this.#disconnect();
      else this.#options.onEvent(effect.event);
    }
    clearTimeout(this.#timer);
    const deadline = machine.deadline();
    if (deadline === Number.POSITIVE_INFINITY) return;
    const delayMs = Math.max(Math.ceil(deadline - performance.now()), 0);
    this.#timer = setTimeout(() => this.#wake(), delayMs);
  }

  #connect(): void {
    this.#disconnect();
    const { server, tls, certificateAuthority, onFailure } = this.#options;
    const host = server.host.includes(':') ? `[${server.host}]` : server.host;
    const url = `${tls ? 'wss' : 'ws'}://${host}:${server.port}${SIGNALLING_PATH}`;
    const options: ClientOptions = {
      maxPayload: MAX_SIGNALLING_BYTES,
      perMessageDeflate: false,
      ...(certificateAuthority === undefined ? {} : { ca: certificateAuthority }),
    };
    const socket = new WebSocket(url, options);
    this.#socket = socket;
    const isCurrent = () => this.#socket === socket;
    socket.on('upgrade', ({ socket: { remoteAddress = '' } }) => {
      this.#serverAddress = makeEndpoint(remoteAddress.replace(/%.*$/, ''), 0)?.address ?? '';
    });
    socket.on('open', () => {
      if (!isCurrent()) return;
      this.#machine.handleOpen(performance.now());
      this.#drain();
    });
    socket.on('message', (data) => {
      if (!isCurrent()) return;
      this.#machine.handleMessage(performance.now(), data.toString());
      this.#drain();
    });
    // What went wrong is followed by a close.
    socket.on('error', (error) => {
      if (isCurrent()) onFailure?.(error);
    });
    socket.on('close', () => {
      if (!isCurrent()) return;
      this.#socket = undefined;
      this.#machine.handleClose(performance.now());
      this.#drain();
    });
  }

  #disconnect(): void {
    const socket = this.#socket;
    if (socket === undefined) return;
    this.#socket = undefined;
    if (socket.readyState !== WebSocket.OPEN) {
      socket.terminate();
      return;
    }
    socket.close();
    const timer = setTimeout(() => socket.terminate(), LAST_WORDS_MS);
    socket.once('close', () => clearTimeout(timer));
  }
}
