// TURN over TCP or TLS for an ICE that knows TURN over UDP only: a UDP port on loopback that stands for the relay's, and carries what is sent
// there over a stream (RFC 8656 section 3.1, the framing of section 12.5). Where no UDP leaves the network a browser is reached so.
import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Endpoint } from '@bt/endpoint';
import { NatPunchError } from '../../errors.ts';
import { StreamFraming } from '../../stun/stream-framing.ts';
import { isStunByte } from '../../stun/stun-message.ts';
import { isChannelDataByte } from '../../turn/channel-data.ts';
import { RECEIVE_BUFFER_BYTES } from '../receive-buffer.ts';
import { LOOPBACK } from './path-forwarder.ts';

/** What waits to be written before datagrams are dropped, as a network does. */
const MAX_QUEUED_BYTES = 1 << 20;

export interface TurnTunnelOptions {
  /** The relay. */
  readonly server: Endpoint;
  readonly tls: boolean;
}

/** A tunnel for one ICE agent: the first port that sends to it. */
export class TurnTunnel {
  readonly #options: TurnTunnelOptions;
  readonly #datagrams: DatagramSocket;
  #stream: Socket | undefined;
  #port: number | undefined;
  #isClosed = false;

  private constructor(options: TurnTunnelOptions, datagrams: DatagramSocket) {
    this.#options = options;
    this.#datagrams = datagrams;
    datagrams.on('message', (datagram, { port }) => this.#handleDatagram(datagram, port));
    datagrams.on('error', () => this.close());
  }

  /** @throws {NatPunchError} `socket` */
  static async open(options: TurnTunnelOptions): Promise<TurnTunnel> {
    const datagrams = createSocket({ type: 'udp4', recvBufferSize: RECEIVE_BUFFER_BYTES });
    datagrams.bind(0, LOOPBACK);
    try {
      await once(datagrams, 'listening');
    } catch (cause) {
      throw new NatPunchError('socket', 'no socket on loopback can be opened', { cause });
    }
    return new TurnTunnel(options, datagrams);
  }

  /** On loopback. */
  get port(): number {
    return this.#datagrams.address().port;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stream?.destroySoon();
    this.#datagrams.close();
  }

  #handleDatagram(datagram: Uint8Array, port: number): void {
    this.#port ??= port;
    const first = datagram[0];
    if (port !== this.#port || first === undefined) return;
    if (!isStunByte(first) && !isChannelDataByte(first)) return;
    const stream = this.#stream ?? this.#connect();
    if (stream.writableLength > MAX_QUEUED_BYTES) return;
    stream.write(datagram);
    // Only ChannelData may be of another length.
    const padding = -datagram.length & 3;
    if (padding > 0) stream.write(new Uint8Array(padding));
  }

  #connect(): Socket {
    const { server, tls } = this.#options;
    const { address: host, port } = server;
    // The relay is trusted with nothing: what it carries is encrypted from end to end.
    const stream = tls
      ? connectTls({ host, port, rejectUnauthorized: false })
      : connect({ host, port });
    this.#stream = stream;
    stream.setNoDelay(true);
    const framing = new StreamFraming();
    stream.on('data', (chunk: Uint8Array) => {
      try {
        framing.push(chunk, (message) => this.#toAgent(message));
      } catch (error) {
        stream.destroy(error as Error);
      }
    });
    stream.on('error', () => {});
    // The agent repeats itself; then there is another one. Its allocation is gone, which it finds out.
    stream.on('close', () => {
      if (this.#stream === stream) this.#stream = undefined;
    });
    return stream;
  }

  #toAgent(message: Uint8Array): void {
    if (this.#isClosed || this.#port === undefined) return;
    // The view is good for the moment; the socket takes longer.
    this.#datagrams.send(message.slice(), this.#port, LOOPBACK);
  }
}
