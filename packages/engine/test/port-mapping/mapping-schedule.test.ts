import { describe, expect, it } from 'vitest';
import { MappingSchedule } from '../../src/port-mapping/mapping-schedule.ts';

const MINUTE = 60_000;
const tcp = { protocol: 'tcp', port: 6881 } as const;
const udp = { protocol: 'udp', port: 6881 } as const;
const granted = (externalPort: number, lifetimeSeconds: number) => ({
  externalPort,
  externalAddress: undefined,
  lifetimeSeconds,
});

describe('mappings', () => {
  it('are asked for at once, and one at a time for each port', () => {
    const schedule = new MappingSchedule(() => 0.5);
    schedule.add(0, tcp);
    schedule.add(0, udp);
    expect(schedule.poll(0)).toEqual({ ...tcp, externalPort: 6881, lifetimeSeconds: 3600 });
    expect(schedule.poll(0)).toMatchObject(udp);
    expect(schedule.poll(0)).toBeUndefined();
    expect(schedule.deadline()).toBe(Number.POSITIVE_INFINITY);
  });

  it('are renewed at half of what was granted, with the port that was', () => {
    const schedule = new MappingSchedule(() => 0.5);
    schedule.add(0, tcp);
    schedule.poll(0);
    schedule.granted(1000, tcp, granted(50_000, 3600));
    expect(schedule.deadline()).toBe(1000 + 30 * MINUTE);
    expect(schedule.poll(schedule.deadline() - 1)).toBeUndefined();
    expect(schedule.poll(schedule.deadline())).toMatchObject({ externalPort: 50_000 });
  });

  it('are renewed after a minute at the earliest, and half a day at the latest, whatever the gateway says', () => {
    for (const [lifetime, minutes] of [
      [1, 1],
      [2 ** 32 - 1, 12 * 60],
    ] as const) {
      const schedule = new MappingSchedule(() => 0.5);
      schedule.add(0, tcp);
      schedule.poll(0);
      schedule.granted(0, tcp, granted(1, lifetime));
      expect(schedule.deadline()).toBe(minutes * MINUTE);
    }
  });

  it('are tried again after 5 minutes, 10, 20... up to two hours', () => {
    const schedule = new MappingSchedule(() => 0.5);
    schedule.add(0, tcp);
    let now = 0;
    const waits = Array.from({ length: 8 }, () => {
      schedule.poll(now);
      schedule.failed(now, tcp);
      const waited = schedule.deadline() - now;
      now = schedule.deadline();
      return waited / MINUTE;
    });
    expect(waits).toEqual([5, 10, 20, 40, 80, 120, 120, 120]);
    schedule.poll(now);
    schedule.granted(now, tcp, granted(6881, 3600));
    schedule.poll(schedule.deadline());
    schedule.failed(now, tcp);
    expect((schedule.deadline() - now) / MINUTE).toBe(5);
  });
});
