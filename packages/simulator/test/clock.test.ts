import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Alarm, VirtualClock } from '../src/index.ts';

describe('VirtualClock', () => {
  it('runs in order of time, equal times in order of scheduling', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 60 }), (times) => {
        const clock = new VirtualClock();
        const ran: [number, number][] = [];
        times.forEach((time, index) => {
          clock.at(time, () => ran.push([clock.now, index]));
        });
        while (clock.step());
        const expected = times
          .map((time, index): [number, number] => [time, index])
          .sort((a, b) => a[0] - b[0] || a[1] - b[1]);
        expect(ran).toEqual(expected);
      }),
    );
  });

  it('never runs what was cancelled', () => {
    const clock = new VirtualClock();
    let runs = 0;
    const timer = clock.after(5, () => {
      runs += 1;
    });
    clock.after(1, () => timer.cancel());
    clock.runUntil(100);
    expect([runs, clock.now]).toEqual([0, 100]);
  });

  it('says which of the two ended runWhile: the condition or the limit', () => {
    const clock = new VirtualClock();
    let ticks = 0;
    const tick = () => {
      ticks += 1;
      clock.after(10, tick);
    };
    tick();
    expect(clock.runWhile(() => ticks < 4, 1000)).toBe(true);
    expect(clock.now).toBe(30);
    expect(clock.runWhile(() => ticks < 1000, 100)).toBe(false);
    expect(clock.now).toBe(100);
  });
});

describe('Alarm', () => {
  it('rings once, at the time that was set last', () => {
    const clock = new VirtualClock();
    const rings: number[] = [];
    const alarm = new Alarm(clock, () => rings.push(clock.now));
    alarm.set(50);
    alarm.set(20);
    clock.runUntil(100);
    alarm.set(130);
    alarm.set(Number.POSITIVE_INFINITY);
    clock.runUntil(200);
    expect(rings).toEqual([20]);
  });
});
