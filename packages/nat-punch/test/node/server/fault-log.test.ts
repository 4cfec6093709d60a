import { expect, it } from 'vitest';
import { type FaultEvent, FaultLog } from '../../../src/node/server/fault-log.ts';

it('tells of faults once a second, and how many there were', () => {
  const told: FaultEvent[] = [];
  const faults = new FaultLog((event) => told.push(event));
  for (const now of [0, 1, 999, 1_000, 5_000]) faults.report(now, `fault at ${now}`);
  expect(told).toEqual([
    { event: 'relay-fault', reason: 'fault at 0', count: 1 },
    { event: 'relay-fault', reason: 'fault at 1000', count: 3 },
    { event: 'relay-fault', reason: 'fault at 5000', count: 1 },
  ]);
});
