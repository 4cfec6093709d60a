// One UDP socket of the server: the first byte of a datagram tells STUN from ChannelData (RFC 7983 section 7), all else is dropped. Relayed
// datagrams go their way with a look into two maps and without an object of ours.
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { type Endpoint, makeEndpoint } from '@bt/endpoint';
import type { ClientLink, ServerPlace, SourceChange } from '../../client-link.ts';
import { NatPunchError } from '../../errors.ts';
import { decodeStunMessage, isStunByte } from '../../stun/stun-message.ts';
import { isChannelDataByte } from '../../turn/channel-data.ts';
import type { TurnAllocation } from '../../turn/turn-allocation.ts';
import type { TurnServer } from '../../turn/turn-server.ts';
import { RECEIVE_BUFFER_BYTES } from '../receive-buffer.ts';
import type { FaultLog } from './fault-log.ts';

/** The largest datagram there is. */
const MAX_DATAGRAM_BYTES = 65_535;

export interface UdpFrontOptions {
  readonly place: ServerPlace;
  readonly server: TurnServer;
  readonly faults: FaultLog;
  /** The socket that an answer leaves by when it is to come from elsewhere. */
  otherFront(change: SourceChange): UdpFront | undefined;
}

export class UdpFront {
  readonly place: ServerPlace;
  /** Where outgoing relayed datagrams are put together. It belongs to this socket, and what waits in the socket's queue may still be in it. */
  readonly scratch = new Uint8Array(MAX_DATAGRAM_BYTES + 100);
  readonly #options: UdpFrontOptions;
  readonly #socket: Socket;
  /** Links with an allocation, by address and port. */
  readonly #links = new Map<string, Map<number, UdpLink>>();
  #isClosed = false;

  constructor(options: UdpFrontOptions) {
    this.#options = options;
    this.place = options.place;
    this.#socket = createUdpSocket(options.place.address, RECEIVE_BUFFER_BYTES);
  }

  /** @throws {NatPunchError} `socket`. */
  async open(): Promise<void> {
    await bindUdpSocket(this.#socket, this.place.address, this.place.port);
    this.#socket.on('message', (datagram, from) => {
      try {
        this.#handle(datagram, from);
      } catch (error) {
        this.#options.faults.report(performance.now(), error);
      }
    });
  }

  send(bytes: Uint8Array, to: Endpoint): void {
    if (this.#isClosed) return;
    this.#socket.send(bytes, to.port, to.address);
  }

  /** Whether the system has taken all that was sent. */
  get isIdle(): boolean {
    return this.#socket.getSendQueueCount() === 0;
  }

  keep(link: UdpLink): void {
    const { address, port } = link.remote;
    let ports = this.#links.get(address);
    if (ports === undefined) {
      ports = new Map();
      this.#links.set(address, ports);
    }
    ports.set(port, link);
  }

  release(link: UdpLink): void {
    const { address, port } = link.remote;
    const ports = this.#links.get(address);
    ports?.delete(port);
    if (ports?.size === 0) this.#links.delete(address);
  }

  otherFront(change: SourceChange): UdpFront | undefined {
    return this.#options.otherFront(change);
  }

  close(): Promise<void> {
    this.#isClosed = true;
    return new Promise((resolve) => this.#socket.close(resolve));
  }

  #handle(datagram: Uint8Array, from: RemoteInfo): void {
    const first = datagram[0];
    if (first === undefined) return;
    const { server } = this.#options;
    if (isChannelDataByte(first)) {
      const link = this.#linkAt(from);
      if (link !== undefined) server.handleChannelData(performance.now(), datagram, link);
      return;
    }
    if (!isStunByte(first)) return;
    const message = decodeStunMessage(datagram);
    if (message === undefined) return;
    const known = this.#linkAt(from);
    if (known !== undefined) {
      server.handleMessage(performance.now(), message, known);
      return;
    }
    const remote = canonicalEndpoint(from);
    // Without a port nobody can be answered.
    if (remote === undefined || remote.port === 0) return;
    server.handleMessage(performance.now(), message, new UdpLink(this, remote));
  }

  #linkAt(from: RemoteInfo): UdpLink | undefined {
    const { address } = from;
    const link = this.#links.get(address)?.get(from.port);
    if (link !== undefined || !address.includes(':')) return link;
    const canonical = makeEndpoint(address, from.port);
    return canonical && this.#links.get(canonical.address)?.get(canonical.port);
  }
}

/** A client's 5-tuple over UDP. */
class UdpLink implements ClientLink {
  readonly transport = 'udp';
  readonly remote: Endpoint;
  allocation: TurnAllocation | 'pending' | undefined;
  readonly #front: UdpFront;

  constructor(front: UdpFront, remote: Endpoint) {
    this.#front = front;
    this.remote = remote;
  }

  get place(): ServerPlace {
    return this.#front.place;
  }

  send(message: Uint8Array, from?: SourceChange): void {
    const isMoved = from !== undefined && (from.address || from.port);
    const front = isMoved ? this.#front.otherFront(from) : this.#front;
    front?.send(message, this.remote);
  }

  reserve(): Uint8Array | undefined {
    // What the system hasn't taken yet lies in the scratch buffer: a datagram that comes meanwhile is lost, as datagrams are.
    return this.#front.isIdle ? this.#front.scratch : undefined;
  }

  commit(lengthBytes: number): void {
    this.#front.send(this.#front.scratch.subarray(0, lengthBytes), this.remote);
  }

  keep(): void {
    this.#front.keep(this);
  }

  release(): void {
    this.#front.release(this);
  }
}

/** An unbound socket for the family of this address that never asks a resolver: all its addresses are numbers. */
export function createUdpSocket(address: string, receiveBufferBytes?: number): Socket {
  const family = address.includes(':') ? 6 : 4;
  return createSocket({
    type: family === 4 ? 'udp4' : 'udp6',
    ipv6Only: family === 6,
    lookup: (host, _options, callback) => callback(null, host, family),
    ...(receiveBufferBytes === undefined ? {} : { recvBufferSize: receiveBufferBytes }),
  });
}

/** @throws {NatPunchError} `socket`. */
export function bindUdpSocket(socket: Socket, address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (cause: Error & { code?: string }): void => {
      socket.close();
      const message = `can't bind UDP ${address} port ${port} (${cause.code})`;
      reject(new NatPunchError('socket', message, { cause }));
    };
    socket.once('error', fail);
    socket.bind({ address, port, exclusive: true }, () => {
      socket.off('error', fail);
      // What a bound socket complains of (an ICMP message, say) is the network's affair.
      socket.on('error', () => undefined);
      resolve();
    });
  });
}

/** The system prints IPv4 addresses canonically; of IPv6 ones only the usual form is, and those with a zone are of no use elsewhere. */
function canonicalEndpoint({ address, port }: RemoteInfo): Endpoint | undefined {
  return address.includes(':') ? makeEndpoint(address, port) : { address, port };
}
