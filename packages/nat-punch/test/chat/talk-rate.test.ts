import { expect, it } from 'vitest';
import { TALK_BURST, TALK_PER_SECOND, TalkRate } from '../../src/chat/talk-rate.ts';

it('takes a burst at once, and so many a second from there on', () => {
  const rate = new TalkRate();
  let taken = 0;
  while (rate.take(0)) taken += 1;
  expect(taken).toBe(TALK_BURST);
  expect(rate.nextAt(0)).toBeCloseTo(1000 / TALK_PER_SECOND);
  for (let now = 0; now <= 1000; now += 1) while (rate.take(now)) taken += 1;
  expect(taken).toBe(TALK_BURST + TALK_PER_SECOND);
});

it('saves up no more than a burst', () => {
  const rate = new TalkRate();
  rate.take(0);
  let taken = 0;
  while (rate.take(10_000_000)) taken += 1;
  expect(taken).toBe(TALK_BURST);
});
