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
  type Pair,
  PairLab,
  pairName,
} from './pair.ts';
import { attempt, complaint, median, milliseconds, OneByOne, quantile } from './tasks.ts';

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
  const healings: { readonly name: string; readonly pair: Pair; readonly ms: number }[] = [];
  const connecting = new OneByOne();
  const broken = await PairLab.each(context, tried, LABS_AT_ONCE, {}, async (pairLab, pair) => {
    const { clients } = await connecting.run(() => connect(pairLab, GIVE_UP_MS));
    for (const [name, happen] of Object.entries(EVENTS)) {
      await sleep(PAUSE_MS);
      const ms = await healed(clients, () => happen(pairLab)).catch((error) => {
        throw new Error(`${name}: ${complaint(error)}`);
      });
      healings.push({ name, pair, ms });
    }
    await delivered(...clients, GIVE_UP_MS);
    for (const client of clients) await client.quit();
  });
  for (const name of Object.keys(EVENTS)) {
    const of = healings.filter((healing) => healing.name === name);
    const ms = of.map((healing) => healing.ms);
    const late = of
      .filter((healing) => healing.ms > MAX_HEAL_MS)
      .map((healing) => `${pairName(healing.pair)}: ${milliseconds(healing.ms)}`);
    yield {
      command: `${name} in mid-chat, ${tried.length} pairs`,
      figure: [
        `${ms.filter((one) => one <= MAX_HEAL_MS).length} of ${tried.length} go on within ${milliseconds(MAX_HEAL_MS)}: median ${milliseconds(median(ms))}, p90 ${milliseconds(quantile(ms, 0.9))}, longest ${milliseconds(Math.max(...ms))}`,
        ...late,
      ].join('\n      '),
      pass: late.length === 0 && ms.length > 0,
    };
  }
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

/** Both talk on while something happens: the longest silence at either side from its beginning until what was said after its end has come. */
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
    await happen();
    const wanted = [b.said.length + 1, a.said.length + 1];
    await Promise.all(
      [a, b].map(async (client, i) => {
        const hasAll = () => client.messages.length >= wanted[i]!;
        await client.until(hasAll, GIVE_UP_MS, 'talk does not go on');
      }),
    );
    return Math.max(a.longestSilenceMs(begin), b.longestSilenceMs(begin));
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
