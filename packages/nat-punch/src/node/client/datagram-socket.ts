// UDP sockets of a client: plain ones, and ones that behave as behind a NAT of some kind (the test mode, nat-filter.ts).
import { createSocket, type Socket } from 'node:dgram';
import { type AddressFamily, type Endpoint, makeEndpoint } from '@bt/endpoint';
import { NatPunchError } from '../../errors.ts';
import { type FilterKind, NatFilter } from '../../path/nat-filter.ts';
import { RECEIVE_BUFFER_BYTES } from '../receive-buffer.ts';

export interface DatagramSocket {
  readonly family: AddressFamily;
  /** 0 when it has none that others could send to. */
  readonly localPort: number;
  onDatagram: (from: Endpoint, bytes: Uint8Array) => void;
  /** What doesn't go out is lost, as datagrams are. */
  send(to: Endpoint, bytes: Uint8Array, ttl?: number): void;
  close(): void;
}

/** @throws {NatPunchError} `socket`. */
export function bindDatagramSocket(
  family: AddressFamily,
  filter: FilterKind | undefined,
): Promise<DatagramSocket> {
  if (filter === undefined) return PlainSocket.bind(family);
  return FilteredSocket.bind(family, filter);
}

const DEFAULT_TTL = 64;

class PlainSocket implements DatagramSocket {
  readonly family: AddressFamily;
  readonly localPort: number;
  onDatagram: (from: Endpoint, bytes: Uint8Array) => void = () => {};
  readonly #socket: Socket;
  #isClosed = false;

  static bind(family: AddressFamily): Promise<PlainSocket> {
    const socket = createSocket({
      type: family === 4 ? 'udp4' : 'udp6',
      ipv6Only: family === 6,
      recvBufferSize: RECEIVE_BUFFER_BYTES,
      // Only IP addresses are sent to: a resolver call for each datagram would cost more than the datagram, and send it later.
      lookup: (address, _options, callback) => callback(null, address, family),
    });
    return new Promise((resolve, reject) => {
      socket.once('error', (cause) => {
        socket.close();
        reject(new NatPunchError('socket', "can't bind a UDP socket", { cause }));
      });
      socket.bind(0, () => resolve(new PlainSocket(family, socket)));
    });
  }

  private constructor(family: AddressFamily, socket: Socket) {
    this.family = family;
    this.#socket = socket;
    this.localPort = socket.address().port;
    socket.removeAllListeners('error');
    // An answer of ICMP (nobody listens, no route): the datagram is lost, the socket goes on.
    socket.on('error', () => {});
    socket.on('message', (bytes, { address, port }) => {
      const from = family === 4 ? { address, port } : makeEndpoint(address, port);
      if (from !== undefined && !this.#isClosed) this.onDatagram(from, bytes);
    });
  }

  send(to: Endpoint, bytes: Uint8Array, ttl?: number): void {
    if (this.#isClosed || to.port === 0) return;
    if (ttl === undefined) {
      this.#socket.send(bytes, to.port, to.address, ignore);
      return;
    }
    // With the lookup above the datagram has left when send returns.
    this.#socket.setTTL(ttl);
    this.#socket.send(bytes, to.port, to.address, ignore);
    this.#socket.setTTL(DEFAULT_TTL);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#socket.close();
  }
}

/** Sockets of one filtered socket, at the most: beyond that the oldest mapping ends. */
const MAX_MAPPINGS = 256;
/** Datagrams that wait for their mapping's socket. */
const MAX_WAITING = 16;

interface Mapping {
  socket: PlainSocket | undefined;
  readonly waiting: {
    readonly to: Endpoint;
    readonly bytes: Uint8Array;
    readonly ttl?: number | undefined;
  }[];
}

class FilteredSocket implements DatagramSocket {
  readonly family: AddressFamily;
  onDatagram: (from: Endpoint, bytes: Uint8Array) => void = () => {};
  readonly localPort: number;
  readonly #filter: NatFilter;
  readonly #first: PlainSocket;
  readonly #mappings = new Map<string, Mapping>();
  #isFirstUsed = false;
  #isClosed = false;

  static async bind(family: AddressFamily, kind: FilterKind): Promise<FilteredSocket> {
    return new FilteredSocket(await PlainSocket.bind(family), kind);
  }

  private constructor(first: PlainSocket, kind: FilterKind) {
    this.family = first.family;
    this.#first = first;
    this.localPort = kind === 'symmetric' ? 0 : first.localPort;
    this.#filter = new NatFilter(kind);
  }

  send(to: Endpoint, bytes: Uint8Array, ttl?: number): void {
    if (this.#isClosed) return;
    const name = this.#filter.outbound(performance.now(), to);
    const mapping = this.#mappings.get(name) ?? this.#open(name);
    if (mapping.socket !== undefined) mapping.socket.send(to, bytes, ttl);
    else if (mapping.waiting.length < MAX_WAITING) {
      mapping.waiting.push({ to, bytes: bytes.slice(), ttl });
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#first.close();
    for (const { socket } of this.#mappings.values()) socket?.close();
    this.#mappings.clear();
  }

  #open(name: string): Mapping {
    const mapping: Mapping = { socket: undefined, waiting: [] };
    this.#mappings.set(name, mapping);
    if (!this.#isFirstUsed) {
      this.#isFirstUsed = true;
      this.#use(name, mapping, this.#first);
      return mapping;
    }
    PlainSocket.bind(this.family).then(
      (socket) => {
        if (this.#mappings.get(name) === mapping) this.#use(name, mapping, socket);
        else socket.close();
      },
      () => this.#mappings.delete(name),
    );
    if (this.#mappings.size > MAX_MAPPINGS) this.#closeOldest();
    return mapping;
  }

  #use(name: string, mapping: Mapping, socket: PlainSocket): void {
    mapping.socket = socket;
    socket.onDatagram = (from, bytes) => {
      if (this.#filter.inbound(performance.now(), name, from)) this.onDatagram(from, bytes);
    };
    for (const { to, bytes, ttl } of mapping.waiting) socket.send(to, bytes, ttl);
    mapping.waiting.length = 0;
  }

  #closeOldest(): void {
    for (const [name, { socket }] of this.#mappings) {
      this.#mappings.delete(name);
      socket?.close();
      break;
    }
  }
}

/** With a callback, an error of one datagram goes there, and not to the socket. */
function ignore(): void {}
