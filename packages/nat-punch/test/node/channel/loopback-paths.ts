// Paths for tests of what stands on them: a UDP socket of loopback for each pair, its port told through signalling.
import { createSocket, type Socket } from 'node:dgram';
import type { SignalData } from '../../../src/index.ts';
import type {
  PoolPaths,
  PoolTransport,
  PoolTransportOptions,
} from '../../../src/node/channel/pool.ts';
import type { PeerPath } from '../../../src/node/channel/pool-peer.ts';

export class LoopbackPaths implements PoolPaths {
  readonly transports: LoopbackTransport[] = [];

  prepare(): void {}

  networkChanged(): void {}

  open(options: PoolTransportOptions): LoopbackTransport {
    const transport = new LoopbackTransport(options);
    this.transports.push(transport);
    return transport;
  }

  close(): void {
    for (const transport of this.transports) transport.close();
  }
}

export class LoopbackTransport implements PoolTransport {
  onDatagram: (datagram: Uint8Array) => void = () => {};
  onPath: (path: PeerPath | undefined) => void = () => {};
  readonly options: PoolTransportOptions;
  seen: readonly string[] = [];
  isClosed = false;
  readonly #socket: Socket = createSocket('udp4');
  #port: number | undefined;

  constructor(options: PoolTransportOptions) {
    this.options = options;
    this.#socket.on('message', (datagram) => this.onDatagram(new Uint8Array(datagram)));
    this.#socket.bind({ address: '127.0.0.1', port: 0 }, () => {
      if (this.isClosed) return;
      options.signal({ kind: 'candidates', port: this.#socket.address().port });
    });
  }

  handleSignal(data: SignalData): void {
    if (data.kind !== 'candidates') return;
    this.#port = data.port as number;
    this.#tell();
  }

  setPeerSeen(addresses: readonly string[]): void {
    this.seen = addresses;
  }

  networkChanged(): void {}

  send(datagram: Uint8Array): void {
    if (this.#port === undefined || this.isClosed) return;
    this.#socket.send(datagram, this.#port, '127.0.0.1');
  }

  /** The path is gone. */
  fail(): void {
    this.#port = undefined;
    this.onPath(undefined);
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#socket.close();
  }

  #tell(): void {
    const local = { address: '127.0.0.1', port: 1 };
    const remote = { address: '127.0.0.1', port: this.#port! };
    this.onPath({ kind: 'direct', method: 'host', local, remote, reason: 'both are here' });
  }
}
