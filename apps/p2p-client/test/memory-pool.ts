// A pool without a server and without sockets between its members, and the program run in it with everything it says kept.
import { derivePhraseKey, GuessLimit, type PhraseKey } from '@bt/nat-punch';
import { makeCertificate, type PeerTransport, PoolPeer } from '@bt/nat-punch/node';
import { onTestFinished } from 'vitest';
import { chat, type Input, type Join, type PoolEvents } from '../src/chat.ts';
import { parseOptions } from '../src/options.ts';

interface Member {
  readonly events: PoolEvents;
  readonly name: string | undefined;
  readonly phraseKey: PhraseKey | undefined;
  readonly id: string;
  readonly peers: PoolPeer[];
}

/** All who join meet one another. */
export class MemoryPool {
  readonly #members: Member[] = [];
  readonly #transports: PeerTransport[] = [];
  #hasPath = true;
  /** `path` events go to all. */
  set hasPath(hasPath: boolean) {
    this.#hasPath = hasPath;
    for (const transport of this.#transports) transport.onPath(hasPath ? PATH : undefined);
  }

  readonly join: Join = async ({ name, phraseText, pool }, events) => {
    const member: Member = {
      events,
      name,
      phraseKey: phraseText === undefined ? undefined : derivePhraseKey(phraseText, pool),
      id: `${this.#members.length}`,
      peers: [],
    };
    setImmediate(() => {
      events.onJoined();
      for (const other of this.#members) this.#meet(other, member);
      this.#members.push(member);
    });
    const leave = async (timeoutMs: number) => {
      this.#members.splice(this.#members.indexOf(member), 1);
      await Promise.all(member.peers.map((peer) => peer.leave(timeoutMs)));
    };
    onTestFinished(() => {
      for (const peer of member.peers) peer.close();
    });
    return { leave };
  };

  /** The server refuses everybody who is there. */
  refuse(reason: string): void {
    for (const { events } of this.#members) events.onRefused(reason);
  }

  #meet(a: Member, b: Member): void {
    const ends: { peer: PoolPeer; transport: PeerTransport }[] = [];
    for (const [index, [own, other]] of [
      [a, b],
      [b, a],
    ].entries() as Iterable<[number, [Member, Member]]>) {
      const transport: PeerTransport = {
        send: (datagram) => {
          if (this.#hasPath) ends[1 - index]?.transport.onDatagram(datagram);
        },
        onDatagram: () => {},
        onPath: () => {},
        close: () => {},
      };
      const peer = new PoolPeer({
        kind: 'terminal',
        ...(own.name === undefined ? {} : { ownName: own.name }),
        ...(other.name === undefined ? {} : { name: other.name }),
        isControlling: index === 0,
        identities: { own: own.id, peer: other.id },
        certificate: makeCertificate(),
        phraseKey: own.phraseKey,
        guesses: new GuessLimit(),
        signal: (data) => setImmediate(() => ends[1 - index]?.peer.handleSignal(data)),
        transport,
      });
      ends.push({ peer, transport });
      this.#transports.push(transport);
      own.peers.push(peer);
    }
    a.events.onPeer(ends[0]!.peer);
    b.events.onPeer(ends[1]!.peer);
    for (const { transport } of ends) transport.onPath(PATH);
  }
}

const PATH = {
  kind: 'direct',
  method: 'host',
  local: { address: '192.0.2.1', port: 1 },
  remote: { address: '192.0.2.2', port: 2 },
  reason: 'both are in one network',
} as const;

/** `p2p-client 127.0.0.1 3478 100 ...args` within this process. */
export class Chat {
  readonly code: Promise<number>;
  out = '';
  error = '';
  isClosed = false;
  readonly #interrupted = new AbortController();
  readonly #typed: string[] = [];
  #isEnded = false;
  #wakeInput = () => {};
  readonly #watchers = new Set<() => void>();

  constructor(pool: MemoryPool, args: readonly string[] = [], isTerminal = false) {
    const options = parseOptions(['127.0.0.1', '3478', '100', ...args], '1.2.3');
    if ('isError' in options || options.command !== 'chat') throw new Error('wrong arguments');
    const input: Input = {
      isTerminal,
      out: (text) => {
        this.out += text;
        this.#changed();
      },
      error: (text) => {
        this.error += text;
      },
      lines: () => this.#lines(),
      secret: async () => {
        if (!isTerminal) return undefined;
        for await (const line of this.#lines()) return line;
        return undefined;
      },
      close: () => {
        this.isClosed = true;
      },
    };
    this.code = chat(options, input, this.#interrupted.signal, pool.join);
  }

  type(...lines: string[]): this {
    this.#typed.push(...lines);
    this.#wakeInput();
    return this;
  }

  /** The input ends. */
  end(): this {
    this.#isEnded = true;
    this.#wakeInput();
    return this;
  }

  interrupt(): void {
    this.#interrupted.abort();
  }

  /** What `--json` printed. */
  get events(): { readonly event: string; readonly [field: string]: unknown }[] {
    return this.out
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  }

  async until(text: string): Promise<void> {
    while (!this.out.includes(text)) {
      await new Promise<void>((wake) => this.#watchers.add(wake));
    }
  }

  async *#lines(): AsyncGenerator<string> {
    for (;;) {
      const line = this.#typed.shift();
      if (line !== undefined) yield line;
      else if (this.#isEnded) return;
      else {
        await new Promise<void>((wake) => {
          this.#wakeInput = wake;
        });
      }
    }
  }

  #changed(): void {
    for (const wake of this.#watchers) wake();
    this.#watchers.clear();
  }
}
