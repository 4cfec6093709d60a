// The server's TCP port: the first byte of a connection tells STUN (RFC 8656 section 3.1), TLS and HTTP apart, and within TLS once more. What
// says nothing, something else, or half a message is closed.
import { createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls';
import { type Endpoint, makeEndpoint } from '@bt/endpoint';
import type { ClientLink, ServerPlace } from '../../client-link.ts';
import { ConnectionCount } from '../../connection-count.ts';
import { NatPunchError } from '../../errors.ts';
import { StreamFraming } from '../../stun/stream-framing.ts';
import { decodeStunMessage, isStunByte } from '../../stun/stun-message.ts';
import { isChannelDataByte } from '../../turn/channel-data.ts';
import { MAX_TCP_BACKLOG_BYTES, TCP_IDLE_MS, TCP_PATIENCE_MS } from '../../turn/relay-limits.ts';
import type { TurnAllocation } from '../../turn/turn-allocation.ts';
import type { TurnServer } from '../../turn/turn-server.ts';
import type { FaultLog } from './fault-log.ts';

/** RFC 8446 section 5.1: a handshake record. */
const TLS_HANDSHAKE_BYTE = 0x16;
/** The G of GET and the H of HEAD: nothing else is asked by browsers that open a page or a WebSocket, or by who asks for the health. */
const HTTP_BYTES: readonly number[] = [0x47, 0x48];
/** How often connections are looked at that have been silent. */
const SWEEP_MS = 1_000;

export interface TcpFrontOptions {
  readonly addresses: readonly string[];
  readonly port: number;
  readonly server: TurnServer;
  readonly faults: FaultLog;
  readonly tls?:
    | { readonly cert: Uint8Array | string; readonly key: Uint8Array | string }
    | undefined;
  onHttp?(socket: Duplex, remote: Endpoint, isSecure: boolean): void;
}

export class TcpFront {
  readonly #options: TcpFrontOptions;
  readonly #servers: Server[] = [];
  readonly #tls: SecureContext | undefined;
  /** All connections, whatever they speak. */
  readonly #sockets = new Set<Socket>();
  readonly #count = new ConnectionCount();
  readonly #links = new Set<StreamLink>();
  #sweeper: NodeJS.Timeout | undefined;

  /** @throws {NatPunchError} `invalid-argument` for a certificate or key that is none. */
  constructor(options: TcpFrontOptions) {
    this.#options = options;
    this.#tls = options.tls === undefined ? undefined : secureContext(options.tls);
  }

  get connectionCount(): number {
    return this.#count.total;
  }

  /** @throws {NatPunchError} `socket`. */
  async open(): Promise<void> {
    for (const address of this.#options.addresses) {
      const server = createServer({ noDelay: true, keepAlive: true }, (socket) => {
        this.#accept(socket);
      });
      await listen(server, address, this.#options.port);
      this.#servers.push(server);
    }
    this.#sweeper = setInterval(() => this.#sweep(performance.now()), SWEEP_MS).unref();
  }

  /** Closes the port and all connections, those of HTTP included. */
  async close(): Promise<void> {
    clearInterval(this.#sweeper);
    const closed = this.#servers.map(
      (server) => new Promise<void>((resolve) => server.close(() => resolve())),
    );
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(closed);
  }

  #accept(socket: Socket): void {
    // A connection that breaks down is closed: nobody needs to hear why.
    socket.on('error', () => socket.destroy());
    const remote = remoteOf(socket);
    if (remote === undefined || !this.#count.add(remote.address)) {
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      this.#count.remove(remote.address);
    });
    this.#decide(socket, remote, false);
  }

  /** Waits for the first bytes and hands the connection on, its bytes unread. */
  #decide(socket: Socket, remote: Endpoint, isSecure: boolean): void {
    const patience = setTimeout(() => socket.destroy(), TCP_PATIENCE_MS).unref();
    const giveUp = (): void => clearTimeout(patience);
    socket.once('close', giveUp);
    if (isSecure) socket.on('error', () => socket.destroy());
    socket.once('data', (chunk: Buffer) => {
      clearTimeout(patience);
      socket.off('close', giveUp);
      socket.pause();
      socket.unshift(chunk);
      const first = chunk[0]!;
      if (isStunByte(first)) this.#serve(socket, remote, isSecure);
      else if (first === TLS_HANDSHAKE_BYTE && !isSecure && this.#tls !== undefined) {
        // The handshake counts as waiting for the first byte.
        this.#decide(
          new TLSSocket(socket, { isServer: true, secureContext: this.#tls }),
          remote,
          true,
        );
      } else if (HTTP_BYTES.includes(first) && this.#options.onHttp !== undefined) {
        this.#options.onHttp(socket, remote, isSecure);
      } else socket.destroy();
    });
  }

  #serve(socket: Socket, remote: Endpoint, isSecure: boolean): void {
    const { server, faults } = this.#options;
    const link = new StreamLink(socket, remote, isSecure ? 'tls' : 'tcp', placeOf(socket));
    // One message a TLS record: turnutils_uclient takes the first of each alone. Without this method a stream doesn't join what waits.
    if (isSecure) Object.defineProperty(socket, '_writev', { value: null });
    this.#links.add(link);
    socket.once('close', () => {
      this.#links.delete(link);
      server.handleLinkClosed(link);
    });
    socket.on('data', (chunk: Buffer) => {
      if (!link.handleBytes(performance.now(), chunk, server, faults)) socket.destroy();
    });
    socket.resume();
  }

  #sweep(now: number): void {
    for (const link of this.#links) if (link.isIdle(now)) link.close();
  }
}

/** A client's connection. */
class StreamLink implements ClientLink {
  readonly transport: 'tcp' | 'tls';
  readonly remote: Endpoint;
  readonly place: ServerPlace;
  allocation: TurnAllocation | 'pending' | undefined;
  readonly #socket: Socket;
  readonly #framing = new StreamFraming();
  /** When the last whole message came, and when the one began that isn't whole yet. */
  #messageAt = performance.now();
  #pendingSince: number | undefined;
  #reserved: Buffer | undefined;

  constructor(socket: Socket, remote: Endpoint, transport: 'tcp' | 'tls', place: ServerPlace) {
    this.#socket = socket;
    this.remote = remote;
    this.transport = transport;
    this.place = place;
  }

  /** False when the connection has to be closed: what came isn't STUN. */
  handleBytes(now: number, chunk: Uint8Array, server: TurnServer, faults: FaultLog): boolean {
    try {
      this.#framing.push(chunk, (bytes) => {
        this.#messageAt = now;
        this.#pendingSince = undefined;
        try {
          this.#handleMessage(now, bytes, server);
        } catch (error) {
          faults.report(now, error);
        }
      });
    } catch (error) {
      const isStrangers = error instanceof NatPunchError && error.code === 'invalid-message';
      if (!isStrangers) faults.report(now, error);
      return false;
    }
    if (this.#framing.pendingBytes > 0) this.#pendingSince ??= now;
    // Whoever asks and doesn't read the answers.
    return this.#socket.writableLength <= 4 * MAX_TCP_BACKLOG_BYTES;
  }

  #handleMessage(now: number, bytes: Uint8Array, server: TurnServer): void {
    if (isChannelDataByte(bytes[0]!)) {
      server.handleChannelData(now, bytes, this);
      return;
    }
    const message = decodeStunMessage(bytes);
    if (message !== undefined) server.handleMessage(now, message, this);
  }

  isIdle(now: number): boolean {
    if (this.#pendingSince !== undefined && now - this.#pendingSince > TCP_PATIENCE_MS) return true;
    return this.allocation === undefined && now - this.#messageAt > TCP_IDLE_MS;
  }

  close(): void {
    this.#socket.destroy();
  }

  send(message: Uint8Array): void {
    this.#socket.write(message);
  }

  reserve(lengthBytes: number): Uint8Array | undefined {
    if (this.#socket.writableLength > MAX_TCP_BACKLOG_BYTES) return undefined;
    this.#reserved = Buffer.allocUnsafe(lengthBytes);
    return this.#reserved;
  }

  commit(lengthBytes: number): void {
    if (this.#reserved === undefined) return;
    const { length } = this.#reserved;
    this.#socket.write(
      length === lengthBytes ? this.#reserved : this.#reserved.subarray(0, lengthBytes),
    );
    this.#reserved = undefined;
  }

  /** A connection carries its link itself. */
  keep(): void {}

  release(): void {}
}

/** @throws {NatPunchError} `invalid-argument` for a certificate or key that is none. */
function secureContext(tls: NonNullable<TcpFrontOptions['tls']>): SecureContext {
  try {
    return createSecureContext({
      cert: typeof tls.cert === 'string' ? tls.cert : Buffer.from(tls.cert),
      key: typeof tls.key === 'string' ? tls.key : Buffer.from(tls.key),
    });
  } catch (cause) {
    const message = `the certificate or key is of no use: ${(cause as Error).message}`;
    throw new NatPunchError('invalid-argument', message, { cause });
  }
}

function remoteOf(socket: Socket): Endpoint | undefined {
  return makeEndpoint(socket.remoteAddress ?? '', socket.remotePort ?? 0);
}

/** Where the client has come in: an address of this host. */
function placeOf(socket: Socket): ServerPlace {
  return (
    makeEndpoint(socket.localAddress ?? '', socket.localPort ?? 0) ?? {
      address: '0.0.0.0',
      port: 0,
    }
  );
}

function listen(server: Server, address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (cause: Error & { code?: string }): void => {
      const message = `can't listen on TCP ${address} port ${port} (${cause.code})`;
      reject(new NatPunchError('socket', message, { cause }));
    };
    server.once('error', fail);
    server.listen({ host: address, port, exclusive: true, ipv6Only: address.includes(':') }, () => {
      server.off('error', fail);
      // A connection that can't be accepted (no descriptor) is the only thing that goes wrong from here on.
      server.on('error', () => undefined);
      resolve();
    });
  });
}
