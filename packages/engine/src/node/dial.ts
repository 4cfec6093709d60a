// Connecting to peers: bounded in number and time, from the bound address, into one static read buffer.

import { connect, type Socket } from 'node:net';
import { addressFamily, type Endpoint, isLoopback } from '@bt/endpoint';
import { HANDSHAKE_TIMEOUT_MS, MAX_HALF_OPEN, READ_BUFFER_BYTES } from '../limits.ts';
import type { Connections } from './connections.ts';
import { isBoundToLoopback } from './named-peers.ts';
import { PeerSocket, type SocketOwner } from './peer-socket.ts';

/** What becomes of one attempt. */
export interface DialOwner extends SocketOwner {
  /** Connected. False: not wanted any more, the socket is closed. */
  onConnected(transport: PeerSocket): boolean;
  /** Bytes in a buffer that is used again after the call. */
  onBytes(chunk: Uint8Array): void;
  /** @param message why, for people */
  onFailed(message: string): void;
}

interface Attempt {
  readonly endpoint: Endpoint;
  readonly owner: DialOwner;
}

export class Dialler {
  readonly #localAddress: string | undefined;
  readonly #connections: Connections;
  /** All sockets share it: a read is passed on before the next one begins. */
  readonly #buffer = new Uint8Array(READ_BUFFER_BYTES);
  #halfOpen = new Set<Socket>();
  #waiting: Attempt[] = [];
  #isClosed = false;

  constructor(localAddress: string | undefined, connections: Connections) {
    this.#localAddress = localAddress;
    this.#connections = connections;
    connections.onFreed(() => this.#next());
  }

  dial(endpoint: Endpoint, owner: DialOwner): void {
    if (this.#isClosed || !this.#canReach(endpoint)) {
      const message = this.#isClosed
        ? 'the session is stopped'
        : `not reached from ${this.#localAddress}, which the session is bound to`;
      queueMicrotask(() => owner.onFailed(message));
      return;
    }
    this.#waiting.push({ endpoint, owner });
    this.#next();
  }

  /** Gives up on all attempts; their owners hear nothing. */
  close(): void {
    this.#isClosed = true;
    this.#waiting = [];
    for (const socket of this.#halfOpen) socket.destroy();
    this.#halfOpen.clear();
  }

  /** A socket that is bound to one family doesn't reach the other, and from loopback nothing may leave the host. */
  #canReach({ address }: Endpoint): boolean {
    if (this.#localAddress === undefined) return true;
    if (isBoundToLoopback(this.#localAddress) && !isLoopback(address)) return false;
    return addressFamily(address) === addressFamily(this.#localAddress);
  }

  #next(): void {
    while (this.#halfOpen.size < MAX_HALF_OPEN && this.#connections.isRoomFor('out')) {
      const attempt = this.#waiting.shift();
      if (attempt === undefined) return;
      this.#connect(attempt);
    }
  }

  #connect({ endpoint, owner }: Attempt): void {
    let transport: PeerSocket | undefined;
    const socket = connect({
      host: endpoint.address,
      port: endpoint.port,
      ...(this.#localAddress === undefined ? {} : { localAddress: this.#localAddress }),
      onread: {
        buffer: this.#buffer,
        callback: (lengthBytes, buffer) => {
          owner.onBytes(buffer.subarray(0, lengthBytes));
          return true;
        },
      },
    });
    this.#halfOpen.add(socket);
    this.#connections.add(socket, 'out');
    let message = `no answer for ${HANDSHAKE_TIMEOUT_MS / 1000} s`;
    const timer = setTimeout(() => socket.destroy(), HANDSHAKE_TIMEOUT_MS);
    socket.on('error', (error) => {
      message = error.message;
    });
    socket.on('connect', () => {
      clearTimeout(timer);
      this.#settled(socket);
      transport = new PeerSocket(socket, owner);
      if (!owner.onConnected(transport)) transport.close();
    });
    socket.on('close', () => {
      if (transport !== undefined) return;
      clearTimeout(timer);
      const isOurs = this.#halfOpen.has(socket);
      this.#settled(socket);
      if (isOurs) owner.onFailed(message);
    });
  }

  #settled(socket: Socket): void {
    this.#halfOpen.delete(socket);
    if (!this.#isClosed) this.#next();
  }
}
