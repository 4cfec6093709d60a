// Pairs with a side whose network lets no UDP through, only TCP to 443 and 3478: they chat by TCP, and soon.
import type { VerifyContext, VerifyLine, VerifyResult } from '../line.ts';
import { delivered } from './chat.ts';
import { BLOCKED_PAIRS, connect, PairLab, pairName } from './pair.ts';
import { median, milliseconds, OneByOne } from './tasks.ts';

const MAX_MS = 2_000;
const LABS_AT_ONCE = 2;

async function* blocked(context: VerifyContext): AsyncGenerator<VerifyResult> {
  const tried = context.quick ? BLOCKED_PAIRS.slice(-3) : BLOCKED_PAIRS;
  const connecting = new OneByOne();
  const timesMs: number[] = [];
  const late: string[] = [];
  const broken = await PairLab.each(context, tried, LABS_AT_ONCE, {}, async (pairLab, pair) => {
    const { clients, bothMs } = await connecting.run(() => connect(pairLab, 20_000));
    timesMs.push(bothMs);
    if (bothMs > MAX_MS) late.push(`${pairName(pair)}: ${milliseconds(bothMs)}`);
    await delivered(...clients, 5_000);
    for (const client of clients) await client.quit();
  });
  const failures = [...late, ...broken];
  yield {
    command: `${tried.length} pairs with a side without UDP`,
    figure: [
      `${timesMs.filter((ms) => ms <= MAX_MS).length} of ${tried.length} chat both ways within ${milliseconds(MAX_MS)} of the second's joining`,
      `median ${milliseconds(median(timesMs))}, longest ${milliseconds(Math.max(...timesMs))}`,
      ...failures,
    ].join('\n      '),
    pass: failures.length === 0,
  };
}

export const blockedLine: VerifyLine = {
  name: 'blocked',
  title: 'networks without UDP chat as well',
  needs: ['ip', 'nft', 'conntrack', 'nsenter'],
  run: blocked,
};
