// What several servers keep and say in Redis: which of them is there, which is the home of a pool, and messages from one to another.
import { createClient, ErrorReply, type RedisClientType } from '@redis/client';
import { NatPunchError } from '../../errors.ts';

export interface RedisLinkEvents {
  onMessage(from: string, text: string): void;
  onError(error: Error): void;
}

const PREFIX = 'nat-punch:';

/** The longest pause before the next attempt to connect. */
const MAX_RECONNECT_MS = 1_000;

/** How long one attempt to connect may take. */
const CONNECT_MS = 2_000;

/** The pause before a subscription that was refused is asked for again. */
const SUBSCRIBE_RETRY_MS = 1_000;

/** KEYS: the pool. ARGV: our id, the prefix of servers' keys, a lifetime in ms. Returns the home's id. */
const CLAIM = `
local home = redis.call('GET', KEYS[1])
if home and (home == ARGV[1] or redis.call('EXISTS', ARGV[2] .. home) == 1) then
  if home == ARGV[1] then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
  return home
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
return ARGV[1]`;

/** KEYS: pools. ARGV: our id. Deletes those whose home we are. */
const FORGET = `
for _, key in ipairs(KEYS) do
  if redis.call('GET', key) == ARGV[1] then redis.call('DEL', key) end
end`;

/** Keys in one call of a script. */
const MAX_KEYS = 500;

export class RedisLink {
  readonly #id: string;
  readonly #commands: RedisClientType;
  readonly #subscriber: RedisClientType;
  readonly #events: RedisLinkEvents;
  #isClosed = false;
  #retry: NodeJS.Timeout | undefined;

  /** @throws {NatPunchError} `invalid-argument` for a URL that is none of a Redis. */
  constructor(url: string, id: string, events: RedisLinkEvents) {
    this.#id = id;
    this.#events = events;
    this.#commands = clientOf(url);
    this.#subscriber = this.#commands.duplicate({ disableOfflineQueue: false });
    for (const client of [this.#commands, this.#subscriber]) {
      client.on('error', (error: Error) => events.onError(error));
    }
  }

  /** Resolves when there is a connection for the first time, however long it takes, or when this is closed. */
  async open(): Promise<void> {
    await Promise.all([this.#commands.connect(), this.#openSubscriber()]).catch(() => {});
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    for (const client of [this.#commands, this.#subscriber]) client.destroy();
  }

  /** Our key, by which others know that we are there. */
  async live(lifetimeMs: number): Promise<void> {
    await this.#commands.set(serverKey(this.#id), '1', { PX: lifetimeMs });
  }

  /** Deletes the key of a server that is gone. */
  async bury(server: string): Promise<void> {
    await this.#commands.del(serverKey(server));
  }

  /** Makes us the home of a pool that has none, or one that is gone; returns the home. */
  async claim(pool: string, lifetimeMs: number): Promise<string> {
    const home = await this.#commands.eval(CLAIM, {
      keys: [poolKey(pool)],
      arguments: [this.#id, serverKey(''), `${lifetimeMs}`],
    });
    return String(home);
  }

  /** We are the home of these pools no more. */
  async forget(pools: readonly string[]): Promise<void> {
    for (let at = 0; at < pools.length; at += MAX_KEYS) {
      const keys = pools.slice(at, at + MAX_KEYS).map(poolKey);
      await this.#commands.eval(FORGET, { keys, arguments: [this.#id] });
    }
  }

  /** Resolves with the number of servers that heard it. */
  async publish(server: string, text: string): Promise<number> {
    return await this.#commands.publish(`${PREFIX}to:${server}`, `${this.#id} ${text}`);
  }

  async publishToAll(text: string): Promise<void> {
    await this.#commands.publish(`${PREFIX}all`, `${this.#id} ${text}`);
  }

  async #openSubscriber(): Promise<void> {
    const handle = (message: string) => {
      const space = message.indexOf(' ');
      this.#events.onMessage(message.slice(0, space), message.slice(space + 1));
    };
    await this.#subscriber.connect();
    while (!this.#isClosed) {
      try {
        await this.#subscriber.subscribe([`${PREFIX}all`, `${PREFIX}to:${this.#id}`], handle);
        return;
      } catch (error) {
        if (this.#isClosed) return;
        this.#events.onError(error as Error);
        await new Promise((resolve) => {
          this.#retry = setTimeout(resolve, SUBSCRIBE_RETRY_MS).unref();
        });
      }
    }
  }
}

/** Whether it is an answer of Redis: nothing was lost, but this very thing was refused. */
export function isRefusal(error: unknown): boolean {
  return error instanceof ErrorReply;
}

function clientOf(url: string): RedisClientType {
  try {
    return createClient({
      url,
      // What can't be sent now is of no use later.
      disableOfflineQueue: true,
      socket: {
        connectTimeout: CONNECT_MS,
        reconnectStrategy: (retries) => Math.min(50 * 2 ** retries, MAX_RECONNECT_MS),
      },
    });
  } catch (cause) {
    const reason = (cause as Error).message;
    throw new NatPunchError('invalid-argument', `the URL of Redis is none: ${reason}`, { cause });
  }
}

function poolKey(pool: string): string {
  return `${PREFIX}pool:${pool}`;
}

function serverKey(server: string): string {
  return `${PREFIX}server:${server}`;
}

/** Resolves when `work` has, or at the limit. */
export async function withLimit(work: Promise<unknown>, limitMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, limitMs);
  });
  await Promise.race([work, limit]);
  clearTimeout(timer);
}

/** As `work`, which fails at the deadline. */
export async function withDeadline<T>(work: Promise<T>, limitMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('no answer')), limitMs);
  });
  try {
    return await Promise.race([work, deadline]);
  } finally {
    clearTimeout(timer);
  }
}
