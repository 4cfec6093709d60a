// All 25 pairs of NAT kinds, at 0 and 30 ms: every chat works, all but symmetric with symmetric directly, and soon.
import { setTimeout as sleep } from 'node:timers/promises';
import type { NetworkOptions } from '../../nat-lab/lab.ts';
import type { VerifyContext, VerifyLine, VerifyResult } from '../line.ts';
import {
  ALL_PAIRS,
  connect,
  judgedConversation,
  type Pair,
  PairLab,
  pairName,
  SETTLED_AFTER_MS,
  type Way,
} from './pair.ts';
import { complaint, median, milliseconds, OneByOne, quantile } from './tasks.ts';

const RUNS = 3;
const BIRTHDAY_TRIES = 40;
const MIN_DIRECT_PAIRS = 24;
const MAX_MEDIAN_MS = 500;
const CONNECT_TIMEOUT_MS = 20_000;
/** Labs that stand at one time: while one waits for its conversation, another connects. */
const LABS_AT_ONCE = 3;

interface Chat {
  readonly pair: Pair;
  readonly firstMs: number;
  readonly fromStartMs: number;
  /** From the second client's joining until it says that its path is direct; undefined when it never does. */
  readonly directMs: number | undefined;
  readonly way: Way;
}

interface Outcome {
  readonly chats: readonly Chat[];
  readonly failures: readonly string[];
}

async function* pairs(context: VerifyContext): AsyncGenerator<VerifyResult> {
  const some = context.quick ? ALL_PAIRS.filter(([a, b], i) => a === b || i % 7 === 3) : ALL_PAIRS;
  for (const delayMs of context.quick ? [0] : [0, 30]) {
    const outcome = await chats(context, some, context.quick ? 1 : RUNS, delayMs);
    yield judged(some, outcome, `${delayMs} ms`, {
      maxMedianMs: delayMs === 0 ? MAX_MEDIAN_MS : Number.POSITIVE_INFINITY,
      minDirect: some.length - (ALL_PAIRS.length - MIN_DIRECT_PAIRS),
    });
  }
  yield await birthday(context);
  const behindBoxes = some.filter(([a, b]) => a !== 'none' && b !== 'none' && a === b);
  const sameAddresses = await chats(context, behindBoxes, 1, 0, { lan: '192.168.1' });
  yield judged(behindBoxes, sameAddresses, '0 ms, the same private address on both sides', {
    maxMedianMs: MAX_MEDIAN_MS,
    minDirect: behindBoxes.length - 1,
  });
  for (const firewall of context.quick ? [] : (['none', 'reject'] as const)) {
    const outcome = await chats(context, some, 1, 0, { firewall });
    // A box without a firewall gives a port away to the packet that comes first: what is still direct is luck, that all chat is not.
    yield judged(some, outcome, `0 ms, boxes with firewall ${firewall}`, {
      maxMedianMs: MAX_MEDIAN_MS,
      minDirect: firewall === 'none' ? 0 : MIN_DIRECT_PAIRS,
    });
  }
}

function judged(
  tried: readonly Pair[],
  { chats, failures }: Outcome,
  what: string,
  { maxMedianMs, minDirect }: { readonly maxMedianMs: number; readonly minDirect: number },
): VerifyResult {
  const runsOf = (pair: Pair) => chats.filter((chat) => chat.pair === pair);
  const isDirect = (pair: Pair) => {
    const runs = runsOf(pair);
    const direct = runs.filter(({ way }) => way === 'direct').length;
    // What depends on luck is judged by its 40 tries; among the pairs it counts as what most of its runs are.
    return isLucky(pair) ? direct > runs.length / 2 : direct === runs.length && direct > 0;
  };
  const directPairs = tried.filter(isDirect).length;
  const firstMs = chats.map((chat) => chat.firstMs);
  const fromStartMs = chats.map((chat) => chat.fromStartMs);
  const relayed = tried
    .filter((pair) => runsOf(pair).some(({ way }) => way !== 'direct'))
    .map((pair) => `${pairName(pair)} (${runsOf(pair).map(wayInWords).join(', ')})`);
  return {
    command: `${tried.length} pairs of NAT kinds, ${what}`,
    figure: [
      `${chats.length} of ${chats.length + failures.length} chats work`,
      `direct: ${directPairs} of ${tried.length} pairs`,
      `runs that are not: ${relayed.join('; ') || 'none'}`,
      `second's joining to first message: median ${milliseconds(median(firstMs))}, p90 ${milliseconds(quantile(firstMs, 0.9))}, from its start ${milliseconds(median(fromStartMs))}`,
      ...failures,
    ].join('\n      '),
    pass: failures.length === 0 && directPairs >= minDirect && median(firstMs) <= maxMedianMs,
  };
}

/** Port-restricted with symmetric: random ports of one side meet those of the other, or don't in time. */
function isLucky(pair: Pair): boolean {
  return pair.includes('port-restricted') && pair.includes('symmetric');
}

function wayInWords({ way, directMs }: Chat): string {
  if (way === 'direct' || directMs === undefined) return way;
  return `${way}, direct after ${milliseconds(directMs)}`;
}

const connecting = new OneByOne();

async function chats(
  context: VerifyContext,
  tried: readonly Pair[],
  runs: number,
  delayMs: number,
  network: Partial<NetworkOptions> = {},
): Promise<Outcome> {
  const done: Chat[] = [];
  const failures: string[] = [];
  const options = { delayMs, network };
  const broken = await PairLab.each(
    context,
    tried,
    LABS_AT_ONCE,
    options,
    async (pairLab, pair) => {
      for (let run = 1; run <= runs; run++) {
        try {
          done.push(await chat(pairLab, pair));
        } catch (error) {
          failures.push(`${pairName(pair)}, run ${run}, ${delayMs} ms: ${complaint(error)}`);
        }
      }
    },
  );
  return { chats: done, failures: [...failures, ...broken] };
}

async function chat(pairLab: PairLab, pair: Pair): Promise<Chat> {
  const { clients, firstMs, fromStartMs, joinedAt } = await connecting.run(() =>
    connect(pairLab, CONNECT_TIMEOUT_MS),
  );
  await sleep(SETTLED_AFTER_MS);
  const { way } = await judgedConversation(pairLab.lab, ...clients);
  const second = clients[1];
  const direct = second.events.find(({ event, kind }) => event === 'path' && kind === 'direct');
  for (const client of clients) await client.quit();
  const directMs = direct === undefined ? undefined : second.timeOf(direct) - joinedAt;
  return { pair, firstMs, fromStartMs, directMs, way };
}

/** Port-restricted with symmetric needs luck: how often it comes. */
async function birthday(context: VerifyContext): Promise<VerifyResult> {
  const tries = context.quick ? 4 : BIRTHDAY_TRIES;
  const both: readonly Pair[] = [
    ['port-restricted', 'symmetric'],
    ['symmetric', 'port-restricted'],
  ];
  const { chats: done, failures } = await chats(context, both, tries / 2, 0);
  const direct = done.filter(({ way }) => way === 'direct').length;
  const directMs = done.flatMap((chat) => chat.directMs ?? []);
  return {
    command: `port-restricted with symmetric, ${tries} tries`,
    figure: [
      `${direct} of ${tries} direct; direct path after a median of ${milliseconds(median(directMs))}, p90 ${milliseconds(quantile(directMs, 0.9))} of the second's joining`,
      ...done.filter(({ way }) => way !== 'direct').map(wayInWords),
      ...failures,
    ].join('\n      '),
    pass: failures.length === 0 && direct >= Math.floor(tries * 0.95),
  };
}

export const pairsLine: VerifyLine = {
  name: 'pairs',
  title: 'all pairs of NAT kinds chat, and all but symmetric with symmetric directly',
  needs: ['ip', 'nft', 'conntrack', 'nsenter'],
  run: pairs,
};
