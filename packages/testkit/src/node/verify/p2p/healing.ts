// What breaks a path in mid-chat: a NAT's reboot or a new public address on either side, a server that restarts. Talk goes on within
// seconds, and nothing is lost or doubled.
import { setTimeout as sleep } from 'node:timers/promises';
import type { VerifyContext, VerifyLine, VerifyResult } from '../line.ts';
import { type ChatClient, converse, delivered } from './chat.ts';
import {
  ALL_PAIRS,
  BLOCKED_PAIRS,
  connect,
  judgedConversation,
  PairLab,
  pairName,
} from './pair.ts';
import {
  attempt,
  complaint,
  inParallel,
  median,
  milliseconds,
  OneByOne,
  quantile,
} from './tasks.ts';

const MAX_HEAL_MS = 6_000;
const GIVE_UP_MS = 20_000;
const SAY_EVERY_MS = 50;
/** Between one event and the next, so that each meets a path that has settled. */
const PAUSE_MS = 2_500;
const LABS_AT_ONCE = 4;

const EVENTS: Readonly<Record<string, (pairLab: PairLab) => Promise<void>>> = {
  'reboot of the first': async ({ lab }) => await lab.networks[0]!.reboot(),
  'reboot of the second': async ({ lab }) => await lab.networks[1]!.reboot(),
  'renumbering of the first': async ({ lab }) => await lab.networks[0]!.renumber(),
  'renumbering of the second': async ({ lab }) => await lab.networks[1]!.renumber(),
  "the server's restart": async (pairLab) => await pairLab.restartServer('SIGTERM'),
  "the server's death and restart": async (pairLab) => await pairLab.restartServer('SIGKILL'),
};

async function* healing(context: VerifyContext): AsyncGenerator<VerifyResult> {
  const all = [...ALL_PAIRS, ...BLOCKED_PAIRS];
  const tried = context.quick
    ? all.filter(([a, b]) => a === b && a !== 'full-cone' && a !== 'address-restricted')
    : all;
  yield await silence(context);
  const timesMs = new Map<string, number[]>(Object.keys(EVENTS).map((name) => [name, []]));
  const failures: string[] = [];
  const connecting = new OneByOne();
  await inParallel(tried, LABS_AT_ONCE, async (pair) => {
    const pairLab = await PairLab.open(context, pair);
    try {
      const { clients } = await connecting.run(() => connect(pairLab, GIVE_UP_MS));
      for (const [name, happen] of Object.entries(EVENTS)) {
        await sleep(PAUSE_MS);
        const ms = await healed(clients, () => happen(pairLab));
        timesMs.get(name)!.push(ms);
        if (ms > MAX_HEAL_MS) failures.push(`${pairName(pair)}, ${name}: ${milliseconds(ms)}`);
      }
      await delivered(...clients, GIVE_UP_MS);
      for (const client of clients) await client.quit();
    } catch (error) {
      failures.push(`${pairName(pair)}: ${complaint(error)}`);
    } finally {
      await pairLab.close();
    }
  });
  for (const [name, ms] of timesMs) {
    const late = failures.filter((failure) => failure.includes(name));
    yield {
      command: `${name} in mid-chat, ${tried.length} pairs`,
      figure: [
        `${ms.filter((one) => one <= MAX_HEAL_MS).length} of ${tried.length} go on within ${milliseconds(MAX_HEAL_MS)}: median ${milliseconds(median(ms))}, p90 ${milliseconds(quantile(ms, 0.9))}, longest ${milliseconds(Math.max(...ms))}`,
        ...late,
      ].join('\n      '),
      pass: late.length === 0 && ms.length > 0,
    };
  }
  const broken = failures.filter(
    (failure) => !Object.keys(EVENTS).some((n) => failure.includes(n)),
  );
  yield {
    command: `everything said in ${tried.length} chats, through ${Object.keys(EVENTS).length} events`,
    figure: [
      `${tried.length - broken.length} of ${tried.length} whole, in order, nothing doubled`,
      ...broken,
    ].join('\n      '),
    pass: broken.length === 0,
  };
}

/** Mappings that live 5 s, and nobody says anything for longer than that. */
async function silence(context: VerifyContext): Promise<VerifyResult> {
  const pair = ['port-restricted', 'symmetric'] as const;
  return await attempt(`${pairName(pair)}, mappings of 5 s, 12 s of silence`, async () => {
    const pairLab = await PairLab.open(context, pair, { network: { mappingMs: 5_000 } });
    try {
      const { clients } = await connect(pairLab, GIVE_UP_MS);
      await sleep(12_000);
      const begin = performance.now();
      await converse(...clients, 1, 20, GIVE_UP_MS);
      const ms = performance.now() - begin;
      const { way } = await judgedConversation(pairLab.lab, ...clients);
      return {
        figure: `the next lines take ${milliseconds(ms)}, the way is ${way}`,
        pass: ms < 1_000 && way === 'direct',
      };
    } finally {
      await pairLab.close();
    }
  });
}

/** Both talk on while something happens; how long after it the first line said since then has arrived on both sides. */
async function healed(
  [a, b]: readonly [ChatClient, ChatClient],
  happen: () => Promise<void>,
): Promise<number> {
  const talk = setInterval(() => {
    for (const client of [a, b]) client.say(`line ${client.said.length}`);
  }, SAY_EVERY_MS);
  try {
    await sleep(3 * SAY_EVERY_MS);
    const begin = performance.now();
    const happened = happen();
    // A line said at the event's beginning may still slip through; those after its end can't.
    await happened;
    const wanted = [a.said.length + 1, b.said.length + 1] as const;
    await Promise.all([
      b.until(() => b.messages.length >= wanted[0], GIVE_UP_MS, 'talk does not go on'),
      a.until(() => a.messages.length >= wanted[1], GIVE_UP_MS, 'talk does not go on'),
    ]);
    return performance.now() - begin;
  } finally {
    clearInterval(talk);
  }
}

export const healingLine: VerifyLine = {
  name: 'healing',
  title: 'reboots, new addresses and restarts in mid-chat',
  needs: ['ip', 'nft', 'conntrack', 'nsenter'],
  run: healing,
};
