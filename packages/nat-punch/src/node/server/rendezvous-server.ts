// The rendezvous server's HTTP side: the page at `/`, `/health`, and the WebSocket of the signalling, on connections that somebody else
// has accepted. Who is put together with whom decides its `PoolHost`.
//
// Origin policy: browsers send an Origin with a WebSocket, and only pages of this very server may open one, so that no other page can
// join pools, or use a relay, by way of its visitors and from within their networks. Programs send none and are let in: there are no
// cookies, and whoever has the port has all that an Origin could pretend.
//
// The page's Origin is compared with the Host that the browser asked for: what this server is called it does not know. So a page of a name
// whose owner lets it point here (DNS rebinding) counts as its own. A proxy in front that answers to its own names alone keeps it out; TLS
// does, too, as there is no certificate for another one's name.
import { createHash, randomBytes, randomInt } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { type Endpoint, networkOf } from '@bt/endpoint';
import { WebSocketServer } from 'ws';
import { AddressRateLimit } from '../../rate-limit.ts';
import {
  mintPoolCredentials,
  parsePoolUsername,
  poolPassword,
} from '../../rendezvous/pool-credentials.ts';
import type { RendezvousEffect, RendezvousStatistics } from '../../rendezvous/rendezvous.ts';
import {
  CONNECTIONS_BURST,
  CONNECTIONS_PER_SECOND,
  CREDENTIALS_LIFETIME_MS,
  MAX_CONNECTIONS_PER_NETWORK,
  MAX_SIGNALLING_BYTES,
  MAX_SIGNALLING_CONNECTIONS,
  REQUEST_TIMEOUT_MS,
} from '../../rendezvous/rendezvous-limits.ts';
import {
  type ClientMessage,
  type ServerPorts,
  SIGNALLING_PATH,
} from '../../rendezvous/rendezvous-message.ts';
import { type FaultEvent, FaultLog } from './fault-log.ts';
import type { PoolHost } from './pool-host.ts';
import { RelayScopes } from './relay-scopes.ts';
import { RendezvousConnection } from './rendezvous-connection.ts';

export interface RendezvousServerOptions {
  readonly pools: PoolHost;
  readonly realm: string;
  /** What clients are told of the ports; asked with each welcome. */
  readonly ports: () => ServerPorts;
  readonly alternateAddress?: string | undefined;
  /** HTML that is served at `/`; without it there is a sentence. */
  readonly page?: string | undefined;
  readonly log?: ((event: RendezvousLogEvent) => void) | undefined;
  /** What the relay holds for a member ends, but not while this server drains. */
  readonly onMemberLeft?: ((member: string) => void) | undefined;
}

export type RendezvousLogEvent =
  | {
      readonly event: 'joined';
      readonly member: string;
      readonly pool: string;
      readonly from: Endpoint;
    }
  | { readonly event: 'left'; readonly member: string }
  | { readonly event: 'refused'; readonly code: string; readonly from: Endpoint }
  | FaultEvent;

export interface RendezvousServerStatistics extends RendezvousStatistics {
  /** HTTP and WebSocket. */
  readonly connections: number;
  readonly refusals: number;
  readonly signals: number;
}

export class RendezvousServer {
  readonly #options: RendezvousServerOptions;
  readonly #pools: PoolHost;
  readonly #secret = randomBytes(32);
  readonly #faults: FaultLog;
  readonly #scopes = new RelayScopes();
  readonly #connections = new Map<string, RendezvousConnection>();
  /** All connections, and where they come from. */
  readonly #sockets = new Map<Duplex, Endpoint>();
  readonly #networks = new Map<string, number>();
  readonly #arrivals = new AddressRateLimit({
    perSecond: CONNECTIONS_PER_SECOND,
    burst: CONNECTIONS_BURST,
    slots: 16_384,
    random: () => randomInt(2 ** 32) / 2 ** 32,
  });
  readonly #http: Server;
  readonly #webSockets: WebSocketServer;
  readonly #page: Page;
  readonly #sweep: NodeJS.Timeout;
  #isShut = false;
  /** As the last decision had it. */
  #roomSize = 2;
  #connectionCount = 0;
  #refusals = 0;
  #signals = 0;

  constructor(options: RendezvousServerOptions) {
    this.#options = options;
    this.#faults = new FaultLog(options.log);
    this.#pools = options.pools;
    this.#pools.onEffect = (effect) => this.#apply(effect);
    this.#page = pageOf(options.page);
    this.#http = createServer({ maxHeaderSize: 16 * 1024, keepAlive: false }, (request, response) =>
      this.#answer(request, response),
    );
    this.#http.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
    this.#http.on('clientError', (_error, socket) => socket.destroy());
    this.#webSockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      maxPayload: MAX_SIGNALLING_BYTES,
      perMessageDeflate: false,
    });
    this.#sweep = setInterval(() => {
      const now = performance.now();
      for (const connection of this.#connections.values()) connection.sweep(now);
      for (const member of this.#scopes.expired(now)) this.#dismiss(member);
    }, 1_000);
    this.#sweep.unref();
  }

  get statistics(): RendezvousServerStatistics {
    return {
      ...this.#pools.statistics,
      connections: this.#sockets.size,
      refusals: this.#refusals,
      signals: this.#signals,
    };
  }

  /** Takes a connection on which an HTTP request begins. */
  handleSocket(socket: Duplex, remote: Endpoint): void {
    socket.on('error', () => {});
    const network = networkOf(remote.address);
    const neighbours = this.#networks.get(network) ?? 0;
    if (
      this.#sockets.size >= MAX_SIGNALLING_CONNECTIONS ||
      neighbours >= MAX_CONNECTIONS_PER_NETWORK ||
      !this.#arrivals.take(performance.now(), remote.address)
    ) {
      this.#refusals += 1;
      socket.destroy();
      return;
    }
    this.#networks.set(network, neighbours + 1);
    this.#sockets.set(socket, remote);
    const timer = setTimeout(() => socket.destroy(), REQUEST_TIMEOUT_MS);
    socket.once('upgraded', () => clearTimeout(timer));
    socket.once('close', () => {
      clearTimeout(timer);
      this.#sockets.delete(socket);
      const left = this.#networks.get(network)! - 1;
      if (left === 0) this.#networks.delete(network);
      else this.#networks.set(network, left);
    });
    this.#http.emit('connection', socket);
    // Whoever had it before may have paused it.
    socket.resume();
  }

  /** The password of a member's user name; `undefined` when it is none, its time is up, or the member has left. */
  passwordOf(username: string): string | undefined {
    const parsed = parsePoolUsername(username);
    if (parsed === undefined || !this.#scopes.has(parsed.member)) return undefined;
    return poolPassword(this.#secret, username, performance.now());
  }

  /** Whether the relay may carry between a member and an address, or an endpoint alone. */
  mayReach(username: string, peer: Endpoint): 'yes' | 'endpoint' | 'no' {
    const parsed = parsePoolUsername(username);
    return parsed === undefined ? 'no' : this.#scopes.mayReach(parsed.member, peer);
  }

  /** A member has shown that it is at an address. */
  handleSeen(username: string, address: string): void {
    const member = parsePoolUsername(username)?.member ?? '';
    const connection = this.#scopes.connectionOf(member);
    if (connection === undefined || !this.#scopes.isNews(member, address)) return;
    this.#pools.addSeen(connection, member, address);
  }

  /** A member has an address of the relay, or has it no more. */
  handleAllocation(username: string, relayed: Endpoint, isThere: boolean): void {
    const member = parsePoolUsername(username)?.member ?? '';
    const connection = this.#scopes.connectionOf(member);
    if (connection !== undefined) this.#pools.setAllocation(connection, member, relayed, isThere);
  }

  /** Lets nobody join any more. */
  shut(): void {
    this.#isShut = true;
  }

  /** Lets clients join: not before all is there that they are told of. */
  open(): void {
    this.#isShut = false;
  }

  /** Sends everybody away, to come back to another server or to this one when it has restarted. What runs by the relay goes on. */
  drain(): void {
    this.#isShut = true;
    for (const connection of this.#connections.values()) {
      connection.refuse('restarting', 'The server is about to restart.');
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#sweep);
    this.drain();
    await this.#pools.end();
    this.#http.close();
    for (const socket of this.#sockets.keys()) socket.destroy();
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    response.setHeader('Connection', 'close');
    response.setHeader('X-Content-Type-Options', 'nosniff');
    const path = request.url?.split('?', 1)[0];
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, { Allow: 'GET, HEAD' }).end();
    } else if (path === '/health') {
      response.writeHead(200, { 'Content-Type': 'text/plain', 'Cache-Control': 'no-store' });
      response.end('ok\n');
    } else if (path === '/') {
      const { body, headers } = this.#page;
      response.writeHead(200, headers).end(body);
    } else {
      response.writeHead(404).end();
    }
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const remote = this.#sockets.get(socket);
    const { origin, host } = request.headers;
    const status =
      request.url !== SIGNALLING_PATH
        ? '404 Not Found'
        : !isOwnOrigin(origin, host)
          ? '403 Forbidden'
          : this.#isShut
            ? '503 Service Unavailable'
            : undefined;
    if (remote === undefined || status !== undefined) {
      socket.end(`HTTP/1.1 ${status ?? '400 Bad Request'}\r\nConnection: close\r\n\r\n`);
      return;
    }
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      socket.emit('upgraded');
      this.#connectionCount += 1;
      const id = `c${this.#connectionCount}`;
      const connection = new RendezvousConnection(id, remote, webSocket, {
        handleMessage: (from, message) => this.#handleMessage(from, message),
        handleDelay: (from, delayMs) => this.#pools.setDelay(from.id, delayMs),
        handleRenewal: (from) => this.#welcome(from),
        handleFault: ({ remote }, error) => this.#faults.report(performance.now(), error, remote),
        handleEnd: (from) => this.#handleEnd(from),
      });
      this.#connections.set(id, connection);
    });
  }

  #handleMessage(connection: RendezvousConnection, message: ClientMessage): void {
    if (message.type === 'join') {
      connection.join = message;
      const { address } = connection.remote;
      this.#pools.join(connection.id, message, { address, delayMs: connection.delayMs });
    } else if (connection.join === undefined) {
      connection.refuse('not-joined', 'The first message is a join.');
    } else if (message.type === 'signal') {
      this.#signals += 1;
      this.#pools.signal(connection.id, message);
    } else if (message.type === 'leave') {
      this.#pools.leave(connection.id);
    } else if (message.type === 'reject') {
      this.#pools.reject(connection.id, message.peer);
    }
  }

  #handleEnd(connection: RendezvousConnection): void {
    this.#connections.delete(connection.id);
    this.#scopes.handleEnd(performance.now(), connection.member ?? '', connection.id);
    this.#pools.close(connection.id);
  }

  #apply(effect: RendezvousEffect): void {
    switch (effect.type) {
      case 'send':
        this.#connections.get(effect.connection)?.send(effect.message);
        break;
      case 'welcome': {
        const { connection: id, member, pool } = effect;
        this.#scopes.enter(member, id);
        const connection = this.#connections.get(id);
        if (connection === undefined) {
          this.#scopes.handleEnd(performance.now(), member, id);
          return;
        }
        if (connection.member !== member) {
          this.#options.log?.({ event: 'joined', member, pool, from: connection.remote });
        }
        connection.member = member;
        this.#roomSize = effect.roomSize;
        this.#welcome(connection);
        break;
      }
      case 'close': {
        const connection = this.#connections.get(effect.connection);
        if (connection === undefined) return;
        this.#refusals += 1;
        this.#options.log?.({ event: 'refused', code: effect.code, from: connection.remote });
        connection.refuse(effect.code, effect.message);
        break;
      }
      case 'reach':
        this.#scopes.setReach(effect.member, effect.peer, effect.seen, effect.relayed);
        break;
      case 'no-reach':
        this.#scopes.removeReach(effect.member, effect.peer);
        break;
      case 'member-left':
        this.#dismiss(effect.member);
        break;
      case 'pool-end':
        break;
    }
  }

  #dismiss(member: string): void {
    this.#scopes.leave(member);
    if (!this.#isShut) this.#options.onMemberLeft?.(member);
    this.#options.log?.({ event: 'left', member });
  }

  #welcome(connection: RendezvousConnection): void {
    const { member, join } = connection;
    if (member === undefined || join === undefined) return;
    const { realm, ports, alternateAddress } = this.#options;
    const lifetimeMs = CREDENTIALS_LIFETIME_MS;
    const now = performance.now();
    const credentials = mintPoolCredentials(this.#secret, {
      member,
      pool: join.pool,
      now,
      lifetimeMs,
    });
    connection.send({
      type: 'welcome',
      member,
      roomSize: this.#roomSize,
      observed: connection.remote,
      credentials: { ...credentials, realm, expiresInMs: lifetimeMs },
      ports: ports(),
      ...(alternateAddress === undefined ? {} : { alternateAddress }),
    });
  }
}

interface Page {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

const NO_PAGE = '<!doctype html><title>p2p-server</title><p>This is a rendezvous server.\n';

/** Only the page's own scripts run, and it talks to nobody but this server (and its peers). */
function pageOf(html: string = NO_PAGE): Page {
  const scripts = [...html.matchAll(/<script[^>]*>([\s\S]*?)<\/script>/g)].map(
    ([, script = '']) => `'sha256-${createHash('sha256').update(script).digest('base64')}'`,
  );
  const policy = [
    "default-src 'none'",
    `script-src ${scripts.length > 0 ? scripts.join(' ') : "'none'"}`,
    "style-src 'unsafe-inline'",
    'img-src data:',
    "connect-src 'self' ws: wss:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ];
  return {
    body: html,
    headers: {
      'Content-Type': 'text/html; charset=utf-8',
      'Cache-Control': 'no-cache',
      'Content-Security-Policy': policy.join('; '),
      'Referrer-Policy': 'no-referrer',
    },
  };
}

/** No Origin, or that of a page of this server. */
function isOwnOrigin(origin: string | undefined, host: string | undefined): boolean {
  if (origin === undefined) return true;
  return host !== undefined && URL.canParse(origin) && new URL(origin).host === host.toLowerCase();
}
