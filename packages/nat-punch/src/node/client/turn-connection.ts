// An allocation on the relay by one of its ways: UDP, TCP or TLS.
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { AddressFamily, Endpoint } from '@bt/endpoint';
import type { NatPunchError } from '../../errors.ts';
import type { FilterKind } from '../../path/nat-filter.ts';
import type { PathSocket } from '../../path/path.ts';
import type { Via } from '../../path/probe.ts';
import { StreamFraming } from '../../stun/stream-framing.ts';
import type { LongTermCredentials } from '../../stun/stun-request.ts';
import { TurnClient } from '../../turn/turn-client.ts';
import { bindDatagramSocket, type DatagramSocket } from './datagram-socket.ts';
import { Wakeup } from './wakeup.ts';

export interface TurnConnectionOptions {
  readonly id: number;
  readonly via: Exclude<Via, 'socket'>;
  readonly server: Endpoint;
  readonly serverFamily: AddressFamily;
  /** Of the address that is asked for. */
  readonly relayFamily: AddressFamily;
  readonly credentials: LongTermCredentials;
  readonly natFilter: FilterKind | undefined;
  onAllocated(): void;
  /** There is no allocation, or none any more. */
  onFailed(error: NatPunchError): void;
  onDatagram(from: Endpoint, bytes: Uint8Array): void;
  /** The relay lets nothing of this peer in. */
  onRefused(peer: Endpoint): void;
}

/** What waits to be written over TCP before datagrams are dropped. */
const MAX_QUEUED_BYTES = 1 << 20;

export class TurnConnection {
  readonly id: number;
  readonly via: Exclude<Via, 'socket'>;
  readonly #options: TurnConnectionOptions;
  readonly #client: TurnClient;
  readonly #wakeup: Wakeup;
  #datagrams: DatagramSocket | undefined;
  #stream: Socket | undefined;
  #heardMs = performance.now();
  #isClosed = false;

  constructor(options: TurnConnectionOptions) {
    this.id = options.id;
    this.via = options.via;
    this.#options = options;
    this.#client = new TurnClient(performance.now(), {
      credentials: options.credentials,
      isStream: options.via !== 'relay-udp',
      family: options.relayFamily,
      randomBytes: (length) => new Uint8Array(randomBytes(length)),
    });
    this.#wakeup = new Wakeup(() => this.#call((now) => this.#client.handleTimeout(now)));
    if (options.via === 'relay-udp') this.#bind();
    else this.#connect();
  }

  /** When something came from the relay. */
  get heardMs(): number {
    return this.#heardMs;
  }

  /** As a socket of paths; undefined while there is no allocation. */
  get pathSocket(): PathSocket | undefined {
    const { relayed, isOver } = this.#client;
    if (relayed === undefined || isOver) return undefined;
    const family: AddressFamily = relayed.address.includes(':') ? 6 : 4;
    return { id: this.id, via: this.via, family, local: relayed };
  }

  send(to: Endpoint, bytes: Uint8Array): void {
    if (this.#stream !== undefined && this.#stream.writableLength > MAX_QUEUED_BYTES) return;
    this.#write(this.#client.wrap(to, bytes));
  }

  permit(peer: Endpoint): void {
    this.#call((now) => this.#client.permit(now, peer));
  }

  bindChannel(peer: Endpoint): void {
    this.#call((now) => this.#client.bindChannel(now, peer));
  }

  /** Asks whether the allocation still lives, which keeps the way to it open too. */
  verify(isUrgent: boolean): void {
    this.#call((now) => this.#client.verify(now, isUrgent));
  }

  /** Gives the allocation back. */
  close(): void {
    if (this.#isClosed) return;
    this.#client.close(performance.now());
    this.#drain();
    this.#end();
  }

  async #bind(): Promise<void> {
    try {
      const socket = await bindDatagramSocket(this.#options.serverFamily, this.#options.natFilter);
      if (this.#isClosed) {
        socket.close();
        return;
      }
      this.#datagrams = socket;
      const { server } = this.#options;
      socket.onDatagram = (from, bytes) => {
        if (from.port === server.port && from.address === server.address) this.#receive(bytes);
      };
      this.#drain();
    } catch (cause) {
      this.#call(() => this.#client.handleDisconnect(cause));
    }
  }

  #connect(): void {
    const { server, via } = this.#options;
    const { address: host, port } = server;
    // TLS gets through firewalls here, no more: the relay is trusted with nothing, what it carries is encrypted from end to end.
    const stream =
      via === 'relay-tls'
        ? connectTls({ host, port, rejectUnauthorized: false })
        : connect({ host, port });
    stream.setNoDelay(true);
    const framing = new StreamFraming();
    stream.once(via === 'relay-tls' ? 'secureConnect' : 'connect', () => {
      if (this.#isClosed) return;
      this.#stream = stream;
      this.#drain();
    });
    stream.on('data', (chunk: Uint8Array) => {
      try {
        framing.push(chunk, (message) => this.#receive(message));
      } catch (error) {
        stream.destroy(error as Error);
      }
    });
    stream.on('error', () => {});
    stream.on('close', () => this.#call(() => this.#client.handleDisconnect()));
    this.#closing = () => stream.destroySoon();
  }

  #closing: () => void = () => {};

  #receive(message: Uint8Array): void {
    if (this.#isClosed) return;
    this.#heardMs = performance.now();
    const relayed = this.#client.handleMessage(performance.now(), message);
    if (relayed !== undefined) this.#options.onDatagram(relayed.peer, relayed.bytes);
    else this.#drain();
  }

  #call(run: (now: number) => void): void {
    if (this.#isClosed) return;
    run(performance.now());
    this.#drain();
  }

  #drain(): void {
    const isOpen = this.#datagrams !== undefined || this.#stream !== undefined;
    // Until there is a connection the first request waits in the machine; its time runs.
    for (
      let effect = isOpen || this.#client.isOver ? this.#client.poll() : undefined;
      effect !== undefined;
    ) {
      if (effect.type === 'send') this.#write(effect.bytes);
      else if (effect.type === 'allocated') this.#options.onAllocated();
      else if (effect.type === 'refused') this.#options.onRefused(effect.peer);
      else if (effect.type === 'failed') {
        this.#end();
        this.#options.onFailed(effect.error);
        return;
      }
      effect = this.#client.poll();
    }
    this.#wakeup.set(this.#isClosed ? Number.POSITIVE_INFINITY : this.#client.deadline());
  }

  #write(bytes: Uint8Array): void {
    if (this.#datagrams !== undefined) this.#datagrams.send(this.#options.server, bytes);
    else this.#stream?.write(bytes);
  }

  #end(): void {
    this.#isClosed = true;
    this.#wakeup.set(Number.POSITIVE_INFINITY);
    this.#datagrams?.close();
    this.#closing();
  }
}
