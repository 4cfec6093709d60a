// Accepting peers: one port for all torrents of a session. A stranger has ten seconds for its handshake, which names the
// torrent; until then it costs a socket and 68 bytes.

import { createServer, type Server, type Socket } from 'node:net';
import { type Endpoint, parseAddress, printAddress } from '@bt/endpoint';
import { type Handshake, HandshakeReader } from '@bt/wire';
import { EngineError } from '../errors.ts';
import { HANDSHAKE_TIMEOUT_MS, MAX_PENDING_ACCEPTS } from '../limits.ts';
import { AcceptLimit } from './accept-limit.ts';
import type { Connections } from './connections.ts';
import { PeerSocket, type SocketOwner } from './peer-socket.ts';
import { clockNow } from './timer.ts';

/** Who gets an accepted connection. */
export interface Acceptor {
  /** A peer has greeted. Its owner from now on, or undefined when it isn't wanted. */
  accept(handshake: Handshake, endpoint: Endpoint): AcceptedOwner | undefined;
}

export interface AcceptedOwner extends SocketOwner {
  /** False: not wanted after all. */
  onConnected(transport: PeerSocket): boolean;
  onBytes(chunk: Uint8Array): void;
}

export interface ListenOptions {
  readonly address: string | undefined;
  readonly port: number;
  readonly connections: Connections;
}

export class Listener {
  readonly #server: Server;
  readonly #acceptor: Acceptor;
  readonly #pending = new Set<Socket>();
  readonly #accepts = new AcceptLimit();
  readonly #connections: Connections;

  private constructor(acceptor: Acceptor, connections: Connections) {
    this.#acceptor = acceptor;
    this.#connections = connections;
    this.#server = createServer({ noDelay: true }, (socket) => this.#greet(socket));
  }

  /** @throws {EngineError} `listen` */
  static open(options: ListenOptions, acceptor: Acceptor): Promise<Listener> {
    const listener = new Listener(acceptor, options.connections);
    const server = listener.#server;
    return new Promise((resolve, reject) => {
      server.once('error', (cause: NodeJS.ErrnoException) => {
        const where = `${options.address ?? 'any address'}, port ${options.port}`;
        reject(new EngineError('listen', `can't listen on ${where} (${cause.code})`, cause));
      });
      const host = options.address === undefined ? {} : { host: options.address };
      server.listen({ port: options.port, ...host }, () => {
        // Later errors are of single connections that could not be accepted; the next may.
        server.removeAllListeners('error');
        server.on('error', () => {});
        resolve(listener);
      });
    });
  }

  get port(): number {
    const address = this.#server.address();
    return address !== null && typeof address === 'object' ? address.port : 0;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#pending) socket.destroy();
  }

  #greet(socket: Socket): void {
    socket.on('error', () => {});
    const endpoint = remoteEndpoint(socket);
    if (endpoint === undefined || !this.#mayGreet(endpoint.address)) {
      socket.destroy();
      return;
    }
    this.#connections.add(socket, 'in');
    this.#pending.add(socket);
    const timer = setTimeout(() => socket.destroy(), HANDSHAKE_TIMEOUT_MS);
    const reader = new HandshakeReader();
    const settle = () => {
      clearTimeout(timer);
      this.#pending.delete(socket);
      socket.off('data', read);
      socket.off('close', settle);
    };
    const read = (chunk: Uint8Array) => {
      let taken: number;
      try {
        taken = reader.handleBytes(chunk);
      } catch {
        socket.destroy();
        return;
      }
      if (reader.handshake === undefined) return;
      settle();
      this.#handOver(socket, reader.handshake, endpoint, chunk.subarray(taken));
    };
    socket.on('data', read);
    socket.on('close', settle);
  }

  #handOver(socket: Socket, handshake: Handshake, endpoint: Endpoint, rest: Uint8Array): void {
    const owner = this.#acceptor.accept(handshake, endpoint);
    if (owner === undefined) {
      socket.destroy();
      return;
    }
    const transport = new PeerSocket(socket, owner);
    if (!owner.onConnected(transport)) {
      transport.close();
      return;
    }
    socket.on('data', (chunk) => owner.onBytes(chunk));
    if (rest.length > 0) owner.onBytes(rest);
  }

  #mayGreet(address: string): boolean {
    if (!this.#connections.isRoomFor('in') || this.#pending.size >= MAX_PENDING_ACCEPTS)
      return false;
    return this.#accepts.take(clockNow(), address);
  }
}

/** The other end in canonical form: IPv4 also where the socket is IPv6 and mapped. */
function remoteEndpoint(socket: Socket): Endpoint | undefined {
  const { remoteAddress, remotePort } = socket;
  if (remoteAddress === undefined || remotePort === undefined) return undefined;
  const bytes = parseAddress(remoteAddress.replace(/%.*$/, ''));
  return bytes === undefined ? undefined : { address: printAddress(bytes), port: remotePort };
}
