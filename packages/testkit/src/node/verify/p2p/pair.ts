// A pair of clients in a lab of its own, behind two kinds of NAT, and the router's verdict on how they talk.
import { type LabOptions, NatLab, type NetworkOptions } from '../../nat-lab/lab.ts';
import type { NatKind } from '../../nat-lab/nat-kind.ts';
import { type Traffic, trafficSince } from '../../nat-lab/traffic.ts';
import type { VerifyContext } from '../line.ts';
import { ChatClient, ChatServer, converse } from './chat.ts';
import { complaint, inParallel } from './tasks.ts';

/** The kinds of which all 25 pairs are tried. */
export const PAIR_KINDS = [
  'none',
  'full-cone',
  'address-restricted',
  'port-restricted',
  'symmetric',
] as const satisfies readonly NatKind[];

export type Pair = readonly [NatKind, NatKind];

export const ALL_PAIRS: readonly Pair[] = PAIR_KINDS.flatMap((a) =>
  PAIR_KINDS.map((b): Pair => [a, b]),
);

/** Every pair with a side whose network lets no UDP through. */
export const BLOCKED_PAIRS: readonly Pair[] = [
  ...PAIR_KINDS.flatMap((kind): Pair[] => [
    ['udp-blocked', kind],
    [kind, 'udp-blocked'],
  ]),
  ['udp-blocked', 'udp-blocked'],
];

export const pairName = ([a, b]: Pair): string => `${a} with ${b}`;

/** How a conversation went, by the router's count. */
export type Way = 'direct' | 'relay' | 'both';

const LINES = 40;
const LINE_BYTES = 400;
/** The conversation that is judged begins this long after the first message. */
export const SETTLED_AFTER_MS = 3_000;

export interface PairLabOptions extends Partial<Omit<LabOptions, 'networks'>> {
  /** Switches of both networks. */
  readonly network?: Partial<NetworkOptions>;
}

/** A lab with a server and a network for each of a pair. */
export class PairLab {
  readonly lab: NatLab;
  readonly #context: VerifyContext;
  server: ChatServer;
  #pools = 100;
  readonly #serverArgs: readonly string[];

  private constructor(
    context: VerifyContext,
    lab: NatLab,
    server: ChatServer,
    serverArgs: readonly string[],
  ) {
    this.#context = context;
    this.lab = lab;
    this.server = server;
    this.#serverArgs = serverArgs;
  }

  static async open(
    context: VerifyContext,
    pair: Pair,
    options: PairLabOptions = {},
  ): Promise<PairLab> {
    const lab = await NatLab.create({
      networks: pair.map((nat) => ({ ...options.network, nat })),
      ...options,
    });
    try {
      const args = ['--bind', '0.0.0.0', '--alt-ip', lab.server.alternateAddress];
      return new PairLab(
        context,
        lab,
        await ChatServer.start(context.root, lab.server, args),
        args,
      );
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  /** Opens a lab for each pair, a few at a time, and closes it; what goes wrong there is the pair's failure, in one sentence each. */
  static async each(
    context: VerifyContext,
    pairs: readonly Pair[],
    labsAtOnce: number,
    options: PairLabOptions,
    use: (pairLab: PairLab, pair: Pair) => Promise<void>,
  ): Promise<string[]> {
    const failures: string[] = [];
    await inParallel(pairs, labsAtOnce, async (pair) => {
      let pairLab: PairLab | undefined;
      try {
        pairLab = await PairLab.open(context, pair, options);
        await use(pairLab, pair);
      } catch (error) {
        failures.push(`${pairName(pair)}: ${complaint(error)}`);
      } finally {
        await pairLab?.close();
      }
    });
    return failures;
  }

  newPool(): string {
    this.#pools += 1;
    return `${this.#pools}`;
  }

  client(network: number, pool: string, args: readonly string[] = []): ChatClient {
    return new ChatClient({
      root: this.#context.root,
      host: this.lab.networks[network]!.host,
      server: this.lab.server.address,
      pool,
      args,
    });
  }

  /** The server is killed, or asked to end, and started again at once. */
  async restartServer(how: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    this.server.child.signal(how);
    await this.server.child.exited;
    this.server = await ChatServer.start(this.#context.root, this.lab.server, this.#serverArgs);
  }

  async close(): Promise<void> {
    await this.lab.close();
  }
}

export interface Connected {
  readonly clients: readonly [ChatClient, ChatClient];
  /** From the second client's joining to the first message at either side. */
  readonly firstMs: number;
  /** From the second client's joining until both have the other's first message. */
  readonly bothMs: number;
  /** From the start of the second client's process to the first message. */
  readonly fromStartMs: number;
  /** When the second client joined, by `performance.now()`. */
  readonly joinedAt: number;
}

/** Starts both clients one after the other, each with a line to say, and waits until both have the other's. */
export async function connect(
  pairLab: PairLab,
  timeoutMs: number,
  args: readonly string[] = [],
): Promise<Connected> {
  const pool = pairLab.newPool();
  const a = pairLab.client(0, pool, args);
  a.say('hello from the first');
  await a.event('joined', 15_000);
  const startedAt = performance.now();
  const b = pairLab.client(1, pool, args);
  b.say('hello from the second');
  const joinedAt = b.timeOf(await b.event('joined', 15_000));
  const [toA, toB] = await Promise.all([
    a.event('message', timeoutMs),
    b.event('message', timeoutMs),
  ]);
  const first = Math.min(a.timeOf(toA), b.timeOf(toB));
  return {
    clients: [a, b],
    firstMs: first - joinedAt,
    bothMs: Math.max(a.timeOf(toA), b.timeOf(toB)) - joinedAt,
    fromStartMs: first - startedAt,
    joinedAt,
  };
}

/** A conversation, judged by the router: which way most of its bytes went. */
export async function judgedConversation(
  lab: NatLab,
  a: ChatClient,
  b: ChatClient,
  timeoutMs = 20_000,
): Promise<{ readonly way: Way; readonly traffic: Traffic }> {
  const before = await lab.traffic();
  const textBytes = await converse(a, b, LINES, LINE_BYTES, timeoutMs);
  const traffic = trafficSince(before, await lab.traffic());
  return { way: wayOf(traffic, textBytes), traffic };
}

function wayOf({ direct, viaServer }: Traffic, textBytes: number): Way {
  if (direct.bytes >= textBytes && viaServer.bytes < textBytes / 2) return 'direct';
  // By way of the server each packet passes the router twice.
  if (direct.bytes < textBytes / 2) return 'relay';
  return 'both';
}
