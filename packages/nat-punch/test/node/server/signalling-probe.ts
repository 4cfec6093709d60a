// A client of the signalling that does as it is told, keeps what it hears, and waits for it by the event itself.
import { once } from 'node:events';
import { WebSocket } from 'ws';
import {
  type ClientMessage,
  decodeServerMessage,
  encodeSignalling,
  type ServerMessage,
} from '../../../src/index.ts';

type MessageOf<T extends ServerMessage['type']> = Extract<ServerMessage, { type: T }>;

export class SignallingProbe {
  readonly socket: WebSocket;
  readonly heard: ServerMessage[] = [];
  readonly closed: Promise<number>;
  readonly #waiting = new Set<() => void>();
  #isClosed = false;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => {
      socket.on('close', (code) => {
        this.#isClosed = true;
        for (const wake of this.#waiting) wake();
        resolve(code);
      });
    });
    socket.on('error', () => {});
    socket.on('message', (data) => {
      this.heard.push(decodeServerMessage(data.toString()));
      for (const wake of this.#waiting) wake();
    });
  }

  static async open(port: number, headers: Record<string, string> = {}): Promise<SignallingProbe> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/signal`, { headers });
    const probe = new SignallingProbe(socket);
    await once(socket, 'open');
    return probe;
  }

  static async join(port: number, name: string, pool = '100'): Promise<SignallingProbe> {
    const probe = await SignallingProbe.open(port);
    const client = Buffer.from(name.padEnd(16)).toString('hex');
    probe.send({ type: 'join', version: 1, pool, client, kind: 'terminal', name });
    await probe.next('welcome');
    return probe;
  }

  send(message: ClientMessage | string): void {
    this.socket.send(typeof message === 'string' ? message : encodeSignalling(message));
  }

  /** The first message of the type that has not been asked for yet, once it is here. */
  async next<T extends ServerMessage['type']>(type: T): Promise<MessageOf<T>> {
    for (;;) {
      const index = this.heard.findIndex((message) => message.type === type);
      if (index >= 0) return this.heard.splice(index, 1)[0] as MessageOf<T>;
      if (this.#isClosed) throw new Error(`closed before ${type}`);
      await new Promise<void>((resolve) => {
        const wake = () => {
          this.#waiting.delete(wake);
          resolve();
        };
        this.#waiting.add(wake);
      });
    }
  }

  close(): void {
    this.socket.terminate();
  }
}
