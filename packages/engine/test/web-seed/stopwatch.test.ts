import { expect, it } from 'vitest';
import { Stopwatch } from '../../src/web-seed/stopwatch.ts';

it('leaves out the time in which it is held', () => {
  const watch = new Stopwatch(100);
  expect(watch.deadline()).toBe(Number.POSITIVE_INFINITY);
  watch.run(1_000);
  watch.run(1_010);
  watch.hold(1_060);
  watch.hold(1_070);
  expect(watch.isOver(5_000)).toBe(false);
  watch.run(5_000);
  expect(watch.deadline()).toBe(5_040);
  expect([watch.isOver(5_039), watch.isOver(5_040)]).toEqual([false, true]);
  watch.reset(5_050);
  expect(watch.deadline()).toBe(5_150);
  watch.hold(5_060);
  watch.reset(5_070);
  expect(watch.deadline()).toBe(Number.POSITIVE_INFINITY);
  watch.run(6_000);
  expect(watch.deadline()).toBe(6_100);
});
