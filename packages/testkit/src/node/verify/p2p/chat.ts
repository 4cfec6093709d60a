// The apps of NAT traversal, driven as a user would: lines into p2p-client, its --json output read, a p2p-server beside it.

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Child } from '../../child.ts';
import type { LabHost } from '../../nat-lab/lab.ts';
import { LineReader } from '../../nat-lab/line-reader.ts';

/** One of the two TCP ports that networks without UDP let through. */
export const SERVER_PORT = 3_478;
const START_TIMEOUT_MS = 20_000;

/** A p2p-server on a machine of the lab. */
export class ChatServer {
  readonly child: Child;

  private constructor(child: Child) {
    this.child = child;
  }

  /** Resolves when its port answers. */
  static async start(
    root: string,
    host: LabHost,
    args: readonly string[] = [],
  ): Promise<ChatServer> {
    const cli = join(root, 'apps/p2p-server/dist/cli.js');
    const child = host.start('p2p-server', process.execPath, [
      ...[cli, `${SERVER_PORT}`, '--json', ...args],
    ]);
    const server = new ChatServer(child);
    await child.waitFor(/listening/i, START_TIMEOUT_MS);
    return server;
  }
}

export interface ChatEvent {
  readonly event: string;
  readonly [field: string]: unknown;
}

export interface ChatClientOptions {
  readonly root: string;
  readonly host: LabHost;
  /** The server's address. */
  readonly server: string;
  readonly pool: string;
  /** NATTYPE and further flags. */
  readonly args?: readonly string[];
  readonly port?: number;
  readonly cwd?: string;
}

/** A p2p-client on a machine of the lab. */
export class ChatClient {
  readonly child: Child;
  readonly events: ChatEvent[] = [];
  /** What the others said, in the order of its coming. */
  readonly messages: string[] = [];
  readonly said: string[] = [];
  readonly #waiting = new Set<() => void>();
  /** When each event came, by `performance.now()`. */
  readonly #times = new WeakMap<ChatEvent, number>();

  constructor({ root, host, server, pool, args = [], port = SERVER_PORT, cwd }: ChatClientOptions) {
    const cli = join(root, 'apps/p2p-client/dist/cli.js');
    this.child = host.start(
      'p2p-client',
      process.execPath,
      [cli, server, `${port}`, pool, ...args, '--json'],
      { input: true, ...(cwd === undefined ? {} : { cwd }) },
    );
    const reader = new LineReader((line) => this.#handleLine(line));
    this.child.onOutput = (text) => reader.handleText(text);
    void this.child.exited.then(() => this.#changed());
  }

  say(text: string): void {
    this.said.push(text);
    this.child.write(`${text}\n`);
  }

  /** A command such as /path, which is not a message. */
  command(text: string): void {
    this.child.write(`${text}\n`);
  }

  timeOf(event: ChatEvent): number {
    return this.#times.get(event) ?? Number.NaN;
  }

  last(name: string): ChatEvent | undefined {
    return this.events.findLast(({ event }) => event === name);
  }

  /** The first event that fits, also among those that came already. */
  async event(
    fits: string | ((event: ChatEvent) => boolean),
    timeoutMs: number,
  ): Promise<ChatEvent> {
    const isWanted = typeof fits === 'string' ? ({ event }: ChatEvent) => event === fits : fits;
    await this.until(
      () => this.events.some(isWanted),
      timeoutMs,
      `no ${typeof fits === 'string' ? fits : 'event'}`,
    );
    return this.events.find(isWanted)!;
  }

  /** Waits until something is so; `what` is the complaint when it doesn't come to be. */
  async until(isSo: () => boolean, timeoutMs: number, what: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const end = (error?: Error) => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        if (error === undefined) resolve();
        else reject(error);
      };
      const look = () => {
        if (isSo()) end();
        else if (!this.child.running)
          end(new Error(`${what}, and the client ended: ${this.tail()}`));
      };
      const timer = setTimeout(
        () => end(new Error(`${what} in ${timeoutMs / 1000} s: ${this.tail()}`)),
        timeoutMs,
      );
      this.#waiting.add(look);
      look();
    });
  }

  /** The longest time without a message since then. */
  longestSilenceMs(since: number): number {
    let last = since;
    let longestMs = 0;
    for (const event of this.events) {
      const at = this.timeOf(event);
      if (event.event !== 'message' || at < since) continue;
      longestMs = Math.max(longestMs, at - last);
      last = at;
    }
    return longestMs;
  }

  /** What it printed last. */
  tail(): string {
    return this.child.output.slice(-600).trim().replaceAll('\n', ' | ');
  }

  /** Ends it as a user does; what was said is delivered first. */
  async quit(): Promise<void> {
    if (!this.child.running) return;
    this.command('/quit');
    await Promise.race([this.child.exited, sleep(3_000)]);
    await this.child.stop();
  }

  #handleLine(line: string): void {
    let event: ChatEvent;
    try {
      event = JSON.parse(line) as ChatEvent;
    } catch {
      return; // Not ours: a warning of Node's, perhaps. It stays in `child.output`.
    }
    this.#times.set(event, performance.now());
    this.events.push(event);
    if (event.event === 'message') this.messages.push(String(event.text));
    this.#changed();
  }

  #changed(): void {
    for (const look of [...this.#waiting]) look();
  }
}

/** What is wrong with what one client got of what another said; undefined when it is whole, in order and without a repetition. */
export function difference(got: readonly string[], said: readonly string[]): string | undefined {
  const at = said.findIndex((text, i) => got[i] !== text);
  if (at === -1 && got.length === said.length) return undefined;
  const index = at === -1 ? said.length : at;
  const printed = (text: string | undefined) => JSON.stringify(text?.slice(0, 40)) ?? 'nothing';
  return `${got.length} of ${said.length} lines; line ${index + 1} is ${printed(got[index])} instead of ${printed(said[index])}`;
}

/** Whether each has all that the other said until now. */
export async function delivered(a: ChatClient, b: ChatClient, timeoutMs: number): Promise<void> {
  await Promise.all([
    a.until(() => a.messages.length >= b.said.length, timeoutMs, 'lines are missing'),
    b.until(() => b.messages.length >= a.said.length, timeoutMs, 'lines are missing'),
  ]);
  const wrong = difference(a.messages, b.said) ?? difference(b.messages, a.said);
  if (wrong !== undefined) throw new Error(wrong);
}

/** Both say this many lines of this length, and each gets all of them. Returns the bytes of text that went over. */
export async function converse(
  a: ChatClient,
  b: ChatClient,
  lines: number,
  lineBytes: number,
  timeoutMs: number,
): Promise<number> {
  for (let i = 0; i < lines; i++) {
    for (const client of [a, b]) client.say(`${client.said.length} `.padEnd(lineBytes, 'blah '));
  }
  await delivered(a, b, timeoutMs);
  return 2 * lines * lineBytes;
}
