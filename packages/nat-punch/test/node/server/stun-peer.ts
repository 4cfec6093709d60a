// A client of a STUN and TURN server as tests need it: sends bytes, waits for the next message that comes, over UDP or a stream.
import { randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { addressFamily, type Endpoint } from '@bt/endpoint';
import {
  decodeStunMessage,
  longTermKey,
  STUN_ATTRIBUTE,
  STUN_METHOD,
  StreamFraming,
  type StunMessage,
  StunWriter,
} from '../../../src/index.ts';

interface Received {
  readonly bytes: Uint8Array;
  readonly from: Endpoint;
}

export class StunPeer {
  readonly #send: (bytes: Uint8Array) => void;
  readonly #close: () => void;
  readonly #received: Received[] = [];
  readonly #waiting: ((received: Received) => void)[] = [];
  readonly local: Endpoint;

  static async udp(to: Endpoint, bind?: string): Promise<StunPeer> {
    const type = addressFamily(to.address) === 6 ? 'udp6' : 'udp4';
    const socket: Socket = createSocket(type);
    socket.bind(0, bind ?? (type === 'udp6' ? '::1' : '127.0.0.1'));
    await once(socket, 'listening');
    const local = socket.address();
    const peer = new StunPeer(
      (bytes) => socket.send(bytes, to.port, to.address),
      () => socket.close(),
      { address: local.address, port: local.port },
    );
    socket.on('message', (bytes, { address, port }) => {
      peer.#receive({ bytes: new Uint8Array(bytes), from: { address, port } });
    });
    return peer;
  }

  static stream(stream: Duplex, from: Endpoint, local: Endpoint): StunPeer {
    const peer = new StunPeer(
      (bytes) => stream.write(bytes),
      () => stream.destroy(),
      local,
    );
    const framing = new StreamFraming();
    stream.on('data', (chunk: Uint8Array) => {
      framing.push(chunk, (bytes) => peer.#receive({ bytes: Uint8Array.from(bytes), from }));
    });
    stream.on('error', () => undefined);
    return peer;
  }

  private constructor(send: (bytes: Uint8Array) => void, close: () => void, local: Endpoint) {
    this.#send = send;
    this.#close = close;
    this.local = local;
  }

  send(bytes: Uint8Array): void {
    this.#send(bytes);
  }

  /** The next message that comes, or has come. */
  receive(): Promise<Received> {
    const received = this.#received.shift();
    if (received !== undefined) return Promise.resolve(received);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async ask(writer: StunWriter): Promise<StunMessage & { from?: Endpoint }> {
    this.send(writer.finish());
    const { bytes, from } = await this.receive();
    return Object.assign(decodeStunMessage(bytes)!, { from });
  }

  bind(): Promise<StunMessage & { from?: Endpoint }> {
    return this.ask(writerOf(STUN_METHOD.binding));
  }

  /** Sends a request with credentials, after a challenge where it has no nonce yet. */
  async askSigned(
    method: number,
    write: (writer: StunWriter) => StunWriter,
    { username = 'alice', password = 'secret' } = {},
  ): Promise<StunMessage> {
    const challenge = await this.ask(write(writerOf(method)));
    const realm = challenge.text(STUN_ATTRIBUTE.realm)!;
    const signed = write(writerOf(method))
      .text(STUN_ATTRIBUTE.username, username)
      .text(STUN_ATTRIBUTE.realm, realm)
      .text(STUN_ATTRIBUTE.nonce, challenge.text(STUN_ATTRIBUTE.nonce)!)
      .integrity('sha1', longTermKey(username, realm, password));
    return this.ask(signed);
  }

  /** Allocates, and gives the relayed address. */
  async allocate(credentials?: Parameters<StunPeer['askSigned']>[2]): Promise<Endpoint> {
    const answer = await this.askSigned(
      STUN_METHOD.allocate,
      (writer) => writer.bytes(STUN_ATTRIBUTE.requestedTransport, Uint8Array.of(17, 0, 0, 0)),
      credentials,
    );
    return answer.xorAddress(STUN_ATTRIBUTE.xorRelayedAddress)!;
  }

  bindChannel(channel: number, peer: Endpoint): Promise<StunMessage> {
    return this.askSigned(STUN_METHOD.channelBind, (writer) =>
      writer
        .bytes(STUN_ATTRIBUTE.channelNumber, Uint8Array.of(channel >>> 8, channel & 0xff, 0, 0))
        .xorAddress(STUN_ATTRIBUTE.xorPeerAddress, peer),
    );
  }

  close(): void {
    this.#close();
  }

  #receive(received: Received): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#received.push(received);
    else waiting(received);
  }
}

export function writerOf(method: number): StunWriter {
  return new StunWriter('request', method, new Uint8Array(randomBytes(12)));
}
