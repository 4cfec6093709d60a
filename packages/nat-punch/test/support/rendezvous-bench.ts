// The rendezvous machine with clients by name, for tests of pools, pairs and restarts.
import { expect } from 'vitest';
import {
  type JoinMessage,
  type PeerMessage,
  Rendezvous,
  type RendezvousEffect,
  type ServerMessage,
} from '../../src/index.ts';

export const RELAYED = { address: '127.0.0.1', port: 50_000 };

interface JoinFields {
  readonly connection?: string;
  readonly pool?: string;
  readonly name?: string;
  readonly address?: string;
  readonly delayMs?: number;
  readonly version?: number;
  readonly pairs?: JoinMessage['pairs'];
}

type Told = Exclude<ServerMessage, { type: 'welcome' }> | { type: 'welcome'; member: string };

/** The machine with clients by name, what each was told, and all invariants checked after each step. */
export class Bench {
  readonly machine: Rendezvous;
  readonly closed = new Map<string, string>();
  readonly left = new Set<string>();
  readonly ended: string[] = [];
  now = 0;
  readonly #told = new Map<string, Told[]>();
  readonly #members = new Map<string, string>();
  /** Whose connection it is. */
  readonly #names = new Map<string, string>();
  readonly #connections = new Map<string, string>();
  readonly #reach = new Map<string, Map<string, string[]>>();
  #random = 0;

  constructor(...args: (string | { readonly roomSize: number })[]) {
    const options = args.find((arg) => typeof arg === 'object');
    this.machine = new Rendezvous({
      roomSize: options?.roomSize ?? 2,
      randomBytes: (length) => {
        this.#random += 1;
        const bytes = new Uint8Array(length).fill(0xa0);
        new DataView(bytes.buffer).setUint32(0, this.#random + 1000 * instances);
        return bytes;
      },
    });
    instances += 1;
    for (const arg of args) if (typeof arg === 'string') this.join(arg);
  }

  join(name: string, fields: JoinFields = {}): void {
    const connection = fields.connection ?? name;
    this.#names.set(connection, name);
    this.#connections.set(name, connection);
    const join: JoinMessage = {
      type: 'join',
      version: fields.version ?? 1,
      pool: fields.pool ?? '100',
      client: Buffer.from(name.padEnd(16)).toString('hex'),
      kind: 'terminal',
      ...(fields.name === undefined ? {} : { name: fields.name }),
      ...(fields.pairs === undefined ? {} : { pairs: fields.pairs }),
    };
    const origin = { address: fields.address ?? '192.0.2.9', delayMs: fields.delayMs ?? 0 };
    this.machine.handleJoin(this.now, connection, join, origin);
    this.drain();
  }

  leave(name: string): void {
    this.machine.handleLeave(this.now, this.#connections.get(name)!);
    this.drain();
  }

  reject(name: string, peer: string): void {
    this.machine.handleReject(this.now, this.#connections.get(name)!, this.member(peer));
    this.drain();
  }

  close(name: string): void {
    this.machine.handleClose(this.now, this.#connections.get(name)!);
    this.drain();
  }

  signal(from: string, to: string, data = {}): void {
    const message = { ...signal(this.member(to)), data };
    this.machine.handleSignal(this.#connections.get(from)!, message);
    this.drain();
  }

  /** Virtual time passes, and each deadline is kept. */
  advance(ms: number): void {
    const end = this.now + ms;
    while (this.machine.deadline() <= end) {
      this.now = Math.max(this.now, this.machine.deadline());
      this.machine.handleTimeout(this.now);
      this.drain();
      expect(this.machine.deadline()).toBeGreaterThan(this.now);
    }
    this.now = end;
  }

  member(name: string): string {
    return this.#members.get(name)!;
  }

  /** What it was told since it was last asked. */
  take(name: string): Told[] {
    this.drain();
    const told = this.#told.get(name) ?? [];
    this.#told.delete(name);
    return told;
  }

  clear(): void {
    this.drain();
    this.#told.clear();
  }

  /** Where the relay may carry to for a client, by the name of the other. */
  reach(name: string): Record<string, string[]> {
    this.drain();
    const nameOf = new Map([...this.#members].map(([other, member]) => [member, other]));
    const reach = this.#reach.get(this.member(name)) ?? [];
    return Object.fromEntries([...reach].map(([member, to]) => [nameOf.get(member), to]));
  }

  drain(): void {
    for (let effect = this.machine.poll(); effect !== undefined; effect = this.machine.poll()) {
      this.#apply(effect);
    }
  }

  #apply(effect: RendezvousEffect): void {
    switch (effect.type) {
      case 'welcome':
        this.#members.set(this.#names.get(effect.connection)!, effect.member);
        this.#tell(effect.connection, { type: 'welcome', member: effect.member });
        break;
      case 'send':
        this.#tell(effect.connection, effect.message);
        break;
      case 'close':
        this.closed.set(effect.connection, effect.code);
        break;
      case 'reach': {
        const to = [...effect.seen, ...effect.relayed.map((r) => `${r.address}:${r.port}`)];
        const reach = this.#reach.get(effect.member) ?? new Map();
        this.#reach.set(effect.member, reach.set(effect.peer, to));
        break;
      }
      case 'no-reach':
        this.#reach.get(effect.member)?.delete(effect.peer);
        break;
      case 'member-left':
        this.left.add(effect.member);
        break;
      case 'pool-end':
        this.ended.push(effect.pool);
        break;
    }
  }

  #tell(connection: string, message: Told): void {
    // Nothing is told to a connection that has been closed.
    expect(this.closed.has(connection)).toBe(false);
    const name = this.#names.get(connection)!;
    expect(this.#connections.get(name)).toBe(connection);
    const told = this.#told.get(name) ?? [];
    this.#told.set(name, told);
    told.push(message);
  }
}

/** So that no two servers make the same ids and keys. */
let instances = 0;

export function signal(peer: string) {
  return { type: 'signal' as const, peer, number: 1, acknowledged: 0 };
}

export function peersIn(told: readonly Told[]): PeerMessage[] {
  return told.filter((message) => message.type === 'peer');
}

export function peerIn(told: readonly Told[]): PeerMessage {
  const peers = peersIn(told);
  expect(peers).toHaveLength(1);
  return peers[0]!;
}
