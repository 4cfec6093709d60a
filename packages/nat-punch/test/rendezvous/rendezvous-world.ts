// Clients and a server as machines, with connections between them that take time, are cut and broken; all on one virtual clock.
import {
  decodeClientMessage,
  encodeSignalling,
  Rendezvous,
  RendezvousClient,
  type RendezvousClientEvent,
  type ServerMessage,
} from '../../src/index.ts';

export interface WorldOptions {
  readonly roomSize?: number;
  readonly latencyMs?: number;
}

interface Connection {
  readonly id: string;
  readonly client: Client;
  /** Nothing comes through any more, in either direction, and nobody is told. */
  isCut: boolean;
  isOpen: boolean;
}

export class Client {
  readonly machine: RendezvousClient;
  readonly events: RendezvousClientEvent[] = [];
  /** When it began to connect. */
  readonly attempts: number[] = [];
  connection: Connection | undefined;

  constructor(name: string, pool: string) {
    const client = Buffer.from(name.padEnd(16)).toString('hex');
    this.machine = new RendezvousClient({ pool, client, kind: 'terminal', name });
  }

  /** The data that came from a peer, in order. */
  signalsFrom(clientTag: string): unknown[] {
    return this.events
      .filter((event) => event.type === 'signal' && event.clientTag === clientTag)
      .map((event) => (event as { data: unknown }).data);
  }

  peers(): Extract<RendezvousClientEvent, { type: 'peer' }>[] {
    return this.events.filter((event) => event.type === 'peer');
  }
}

export class World {
  now = 0;
  /** Whether anybody answers there. */
  isServerUp = true;
  isServerReachable = true;
  readonly clients: Client[] = [];
  readonly #options: Required<WorldOptions>;
  readonly #connections = new Map<string, Connection>();
  #server: Rendezvous;
  #events: { readonly at: number; readonly act: () => void }[] = [];
  #connectionCount = 0;
  #random = 0;

  constructor(options: WorldOptions = {}) {
    this.#options = { roomSize: 2, latencyMs: 0, ...options };
    this.#server = this.#newServer();
  }

  get server(): Rendezvous {
    return this.#server;
  }

  join(name: string, pool = '100'): Client {
    const client = new Client(name, pool);
    this.clients.push(client);
    this.#drive(client, () => client.machine.handleTimeout(this.now));
    return client;
  }

  act(client: Client, act: (machine: RendezvousClient) => void): void {
    this.#drive(client, () => act(client.machine));
  }

  /** What is said over its connection is lost from now on. */
  cut(client: Client): void {
    if (client.connection !== undefined) client.connection.isCut = true;
  }

  /** Both ends see its connection end. */
  break(client: Client): void {
    if (client.connection !== undefined) this.#end(client.connection);
  }

  stopServer(): void {
    this.isServerUp = false;
    for (const connection of this.#connections.values()) this.#end(connection);
    this.#connections.clear();
    this.#server = this.#newServer();
  }

  startServer(): void {
    this.isServerUp = true;
  }

  /** Runs all that happens within so many ms. */
  advance(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const next = this.#nextAt();
      if (next > end) break;
      this.now = Math.max(this.now, next);
      this.#step();
    }
    this.now = end;
  }

  /** The machine slept for so long, and what was to happen meanwhile happens late: timers first, as Node has it. */
  sleep(client: Client, ms: number): void {
    this.now += ms;
    this.#drive(client, () => client.machine.handleTimeout(this.now));
  }

  #newServer(): Rendezvous {
    return new Rendezvous({
      roomSize: this.#options.roomSize,
      randomBytes: (length) => {
        this.#random += 1;
        const bytes = new Uint8Array(length);
        new DataView(bytes.buffer).setUint32(0, this.#random);
        return bytes;
      },
    });
  }

  #nextAt(): number {
    return Math.min(
      this.#server.deadline(),
      ...this.clients.map(({ machine }) => machine.deadline()),
      ...this.#events.map(({ at }) => at),
    );
  }

  #step(): void {
    const due = this.#events.filter(({ at }) => at <= this.now);
    this.#events = this.#events.filter(({ at }) => at > this.now);
    for (const { act } of due) act();
    if (due.length > 0) return;
    if (this.#server.deadline() <= this.now)
      this.#serve((server) => server.handleTimeout(this.now));
    for (const client of this.clients) {
      if (client.machine.deadline() > this.now) continue;
      this.#drive(client, () => client.machine.handleTimeout(this.now));
    }
  }

  #later(act: () => void): void {
    this.#events.push({ at: this.now + this.#options.latencyMs, act });
  }

  #drive(client: Client, act: () => void): void {
    act();
    const { machine } = client;
    for (let effect = machine.poll(); effect !== undefined; effect = machine.poll()) {
      if (effect.type === 'event') client.events.push(effect.event);
      else if (effect.type === 'connect') this.#connect(client);
      else if (effect.type === 'disconnect') {
        const { connection } = client;
        client.connection = undefined;
        if (connection !== undefined) this.#later(() => this.#closeAtServer(connection));
      } else {
        const { connection } = client;
        const { text } = effect;
        if (connection !== undefined) this.#later(() => this.#toServer(connection, text));
      }
    }
  }

  #connect(client: Client): void {
    client.attempts.push(this.now);
    this.#connectionCount += 1;
    const connection = { id: `c${this.#connectionCount}`, client, isCut: false, isOpen: true };
    client.connection = connection;
    if (!this.isServerReachable) return;
    this.#later(() => {
      if (client.connection !== connection) return;
      if (!this.isServerUp) {
        client.connection = undefined;
        this.#drive(client, () => client.machine.handleClose(this.now));
        return;
      }
      this.#connections.set(connection.id, connection);
      this.#drive(client, () => client.machine.handleOpen(this.now));
    });
  }

  #toServer(connection: Connection, text: string): void {
    if (connection.isCut || !connection.isOpen || !this.#connections.has(connection.id)) return;
    const message = decodeClientMessage(text);
    const { id } = connection;
    this.#serve((server) => {
      if (message.type === 'join') {
        server.handleJoin(this.now, id, message, { address: '192.0.2.1', delayMs: 0 });
      } else if (message.type === 'signal') server.handleSignal(id, message);
      else if (message.type === 'leave') server.handleLeave(this.now, id);
      else if (message.type === 'reject') server.handleReject(this.now, id, message.peer);
      else this.#toClient(connection, { type: 'pong', id: message.id });
    });
  }

  #serve(act: (server: Rendezvous) => void): void {
    const server = this.#server;
    act(server);
    for (let effect = server.poll(); effect !== undefined; effect = server.poll()) {
      const connection =
        'connection' in effect ? this.#connections.get(effect.connection) : undefined;
      if (connection === undefined) continue;
      if (effect.type === 'send') this.#toClient(connection, effect.message);
      else if (effect.type === 'welcome') this.#toClient(connection, welcome(effect.member));
      else if (effect.type === 'close') {
        const { code, message } = effect;
        this.#toClient(connection, { type: 'error', code, message });
        this.#later(() => this.#end(connection));
      }
    }
  }

  #toClient(connection: Connection, message: ServerMessage): void {
    const text = encodeSignalling(message);
    this.#later(() => {
      const { client } = connection;
      if (connection.isCut || !connection.isOpen || client.connection !== connection) return;
      this.#drive(client, () => client.machine.handleMessage(this.now, text));
    });
  }

  /** Both sides see the end, at once. */
  #end(connection: Connection): void {
    const { client } = connection;
    this.#closeAtServer(connection);
    if (client.connection !== connection) return;
    client.connection = undefined;
    this.#drive(client, () => client.machine.handleClose(this.now));
  }

  #closeAtServer(connection: Connection): void {
    connection.isOpen = false;
    if (!this.#connections.delete(connection.id)) return;
    this.#serve((server) => server.handleClose(this.now, connection.id));
  }
}

function welcome(member: string): ServerMessage {
  return {
    type: 'welcome',
    member,
    roomSize: 2,
    observed: { address: '192.0.2.1', port: 1 },
    credentials: { username: 'u', password: 'p', realm: 'r', expiresInMs: 1 },
    ports: { stun: [3478, 3479], turn: 3478, tls: false },
  };
}
