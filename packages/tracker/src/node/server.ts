// A small tracker over HTTP and UDP, to embed in a program or a test. All that it answers is decided by the Responder.
import { createHmac, randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { addressFamily, makeEndpoint, printEndpoint } from '@bt/endpoint';
import { TrackerError } from '../errors.ts';
import {
  MAX_HEADER_BYTES,
  MAX_PEERS,
  MAX_PEERS_PER_NETWORK,
  MAX_PEERS_PER_NETWORK_AND_TORRENT,
  MAX_PEERS_PER_TORRENT,
  MAX_SERVER_CONNECTIONS,
  MAX_TORRENTS,
  SERVER_REQUEST_TIMEOUT_MS,
} from '../limits.ts';
import { Responder } from '../responder.ts';

export interface TrackerServerOptions {
  /** When clients are to come again; 1800 by default. They are forgotten after twice as long. */
  readonly intervalSeconds?: number;
  /** How soon they may come again out of need; 60 by default. */
  readonly minIntervalSeconds?: number;
  /** Which torrents are served; all by default. The 20 bytes are valid during the call. */
  readonly isAllowed?: (infoHash: Uint8Array) => boolean;
  /** Caps on memory, some 600 bytes a peer (IPv6: 750); 10,000, 100,000 and 5,000 by default. */
  readonly maxTorrents?: number;
  readonly maxPeers?: number;
  readonly maxPeersPerTorrent?: number;
  /** Of one public address (IPv6: a /64); 1,000 by default. */
  readonly maxPeersPerNetwork?: number;
  /** The same in one torrent; 100 by default. */
  readonly maxPeersPerNetworkAndTorrent?: number;
}

export interface TrackerListenOptions {
  /** An address; 127.0.0.1 by default. `::` serves IPv4 as well. */
  readonly host?: string;
  /** 0, the default, takes a free port; `false` does without. */
  readonly httpPort?: number | false;
  readonly udpPort?: number | false;
}

export interface TrackerServerStatistics {
  readonly torrents: number;
  readonly peers: number;
}

/** How often the forgotten are cleared away. */
const SWEEP_MS = 60_000;

export class TrackerServer {
  readonly #responder: Responder;
  #host = '';
  #http: Server | undefined;
  #udp: Socket | undefined;
  #sweep: NodeJS.Timeout | undefined;

  constructor(options: TrackerServerOptions = {}) {
    const secret = randomBytes(32);
    this.#responder = new Responder({
      intervalSeconds: options.intervalSeconds ?? 1800,
      minIntervalSeconds: options.minIntervalSeconds ?? 60,
      isAllowed: options.isAllowed ?? (() => true),
      maxTorrents: options.maxTorrents ?? MAX_TORRENTS,
      maxPeers: options.maxPeers ?? MAX_PEERS,
      maxPeersPerTorrent: options.maxPeersPerTorrent ?? MAX_PEERS_PER_TORRENT,
      maxPeersPerNetwork: options.maxPeersPerNetwork ?? MAX_PEERS_PER_NETWORK,
      maxPeersPerNetworkAndTorrent:
        options.maxPeersPerNetworkAndTorrent ?? MAX_PEERS_PER_NETWORK_AND_TORRENT,
      random: Math.random,
      connectionMac: (text) =>
        createHmac('sha256', secret).update(text).digest().readBigUInt64BE(0),
    });
  }

  /**
   * Begins to serve.
   *
   * @throws {TrackerError} `invalid-argument`, `connection` when an address or port is not to be had (see `cause`).
   */
  async listen(options: TrackerListenOptions = {}): Promise<void> {
    if (this.#host !== '')
      throw new TrackerError('invalid-argument', 'the tracker listens already');
    const host = options.host ?? '127.0.0.1';
    if (addressFamily(host) === undefined) {
      throw new TrackerError('invalid-argument', 'host is not an IP address');
    }
    this.#host = host;
    try {
      if (options.httpPort !== false) await this.#listenHttp(host, options.httpPort ?? 0);
      if (options.udpPort !== false) await this.#listenUdp(host, options.udpPort ?? 0);
    } catch (cause) {
      await this.close();
      throw new TrackerError('connection', `the tracker can't listen on ${host}`, { cause });
    }
    this.#sweep = setInterval(() => this.#responder.handleTimeout(performance.now()), SWEEP_MS);
    this.#sweep.unref();
  }

  /** The announce URL over HTTP; empty when it is not served. A server on all addresses names loopback. */
  get url(): string {
    const address = this.#http?.address();
    return address ? `http://${this.#authority(address as AddressInfo)}/announce` : '';
  }

  /** The announce URL over UDP; empty when it is not served. */
  get udpUrl(): string {
    return this.#udp === undefined ? '' : `udp://${this.#authority(this.#udp.address())}/announce`;
  }

  get statistics(): TrackerServerStatistics {
    return { torrents: this.#responder.torrentCount, peers: this.#responder.peerCount };
  }

  /** Ends at once, connections that are open included. Its peers are kept, should it listen again. */
  async close(): Promise<void> {
    clearInterval(this.#sweep);
    const http = this.#http;
    const udp = this.#udp;
    this.#http = undefined;
    this.#udp = undefined;
    this.#host = '';
    if (udp !== undefined) await new Promise<void>((resolve) => udp.close(() => resolve()));
    if (http?.listening) {
      const closed = once(http, 'close');
      http.close();
      http.closeAllConnections();
      await closed;
    }
  }

  async #listenHttp(host: string, port: number): Promise<void> {
    const server = createServer(
      {
        maxHeaderSize: MAX_HEADER_BYTES,
        headersTimeout: SERVER_REQUEST_TIMEOUT_MS,
        requestTimeout: SERVER_REQUEST_TIMEOUT_MS,
        connectionsCheckingInterval: SERVER_REQUEST_TIMEOUT_MS / 2,
        keepAlive: false,
      },
      (request, response) => {
        const remote = makeEndpoint(
          request.socket.remoteAddress?.replace(/%.*$/, '') ?? '',
          request.socket.remotePort ?? 0,
        );
        // An announce is a GET without a body, and one connection each.
        response.setHeader('Connection', 'close');
        if (remote === undefined || request.method !== 'GET') {
          response.writeHead(405).end();
          return;
        }
        const answer = this.#responder.handleHttp(performance.now(), request.url ?? '', remote);
        response
          .writeHead(answer.status, {
            'Content-Type': 'text/plain',
            'Content-Length': answer.body.length,
          })
          .end(answer.body);
      },
    );
    server.maxConnections = MAX_SERVER_CONNECTIONS;
    this.#http = server;
    server.listen({ host, port });
    await once(server, 'listening');
    server.on('error', ignore);
  }

  async #listenUdp(host: string, port: number): Promise<void> {
    const socket = createSocket({
      type: addressFamily(host) === 6 ? 'udp6' : 'udp4',
      // Addresses need no resolver; Node would ask it for every datagram.
      lookup: (address, _options, callback) => callback(null, address, addressFamily(host) ?? 4),
    });
    socket.on('message', (datagram, from) => {
      const remote = makeEndpoint(from.address.replace(/%.*$/, ''), from.port);
      if (remote === undefined) return;
      const reply = this.#responder.handleDatagram(performance.now(), datagram, remote);
      if (reply !== undefined) socket.send(reply, from.port, from.address, ignore);
    });
    this.#udp = socket;
    const listening = once(socket, 'listening');
    socket.bind({ address: host, port });
    await listening;
    socket.on('error', ignore);
  }

  #authority({ port }: { readonly port: number }): string {
    const address =
      this.#host === '0.0.0.0' ? '127.0.0.1' : this.#host === '::' ? '::1' : this.#host;
    return printEndpoint({ address, port });
  }
}

/** A failed send or accept concerns nobody but the client, who will ask again. */
function ignore(): void {}
