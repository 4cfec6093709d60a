// A router that loses a tenth of all packets: the chat begins nevertheless, and nothing of it is lost.
import type { VerifyContext, VerifyLine, VerifyResult } from '../line.ts';
import { converse } from './chat.ts';
import { connect, type Pair, PairLab } from './pair.ts';
import { median, milliseconds } from './tasks.ts';

const LOSS_PERCENT = 10;
const MOST_WITHIN_MS = 4_000;
const ALL_WITHIN_MS = 10_000;
const LINES = 1_000;
const LINE_BYTES = 60;
const CONVERSATION_TIMEOUT_MS = 120_000;
const LABS_AT_ONCE = 2;

const PAIRS: readonly Pair[] = [
  ['none', 'none'],
  ['none', 'symmetric'],
  ['full-cone', 'port-restricted'],
  ['address-restricted', 'full-cone'],
  ['address-restricted', 'symmetric'],
  ['port-restricted', 'port-restricted'],
  ['port-restricted', 'symmetric'],
  ['symmetric', 'port-restricted'],
  ['symmetric', 'symmetric'],
  ['udp-blocked', 'port-restricted'],
];

async function* loss(context: VerifyContext): AsyncGenerator<VerifyResult> {
  const tried = context.quick ? PAIRS.slice(5, 8) : PAIRS;
  const timesMs: number[] = [];
  const conversationsMs: number[] = [];
  const options = { lossPercent: LOSS_PERCENT };
  const failures = await PairLab.each(context, tried, LABS_AT_ONCE, options, async (pairLab) => {
    const { clients, bothMs } = await connect(pairLab, 2 * ALL_WITHIN_MS);
    timesMs.push(bothMs);
    const begin = performance.now();
    await converse(...clients, LINES / 2, LINE_BYTES, CONVERSATION_TIMEOUT_MS);
    conversationsMs.push(performance.now() - begin);
    for (const client of clients) await client.quit();
  });
  const soon = timesMs.filter((ms) => ms <= MOST_WITHIN_MS).length;
  yield {
    command: `${tried.length} pairs at ${LOSS_PERCENT}% loss, then ${LINES} lines`,
    figure: [
      `${soon} of ${tried.length} chat both ways within ${milliseconds(MOST_WITHIN_MS)} of the second's joining, median ${milliseconds(median(timesMs))}, longest ${milliseconds(Math.max(...timesMs))}`,
      `${conversationsMs.length} conversations whole and in order, median ${milliseconds(median(conversationsMs))}`,
      ...failures,
    ].join('\n      '),
    pass:
      failures.length === 0 &&
      soon >= Math.floor(tried.length * 0.9) &&
      Math.max(...timesMs) <= ALL_WITHIN_MS,
  };
}

export const lossLine: VerifyLine = {
  name: 'loss',
  title: 'a tenth of all packets lost',
  needs: ['ip', 'nft', 'conntrack', 'nsenter'],
  run: loss,
};
