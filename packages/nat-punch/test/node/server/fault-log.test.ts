import { expect, it } from 'vitest';
import { type FaultEvent, FaultLog } from '../../../src/node/server/fault-log.ts';

it('tells of faults once a second, and how many there were', () => {
  const told: FaultEvent[] = [];
  const faults = new FaultLog((event) => told.push(event));
  const from = { address: '192.0.2.1', port: 4_000 };
  for (const now of [0, 1, 999, 1_000]) faults.report(now, `fault at ${now}`);
  faults.report(5_000, 'fault at 5000', from);
  expect(told).toEqual([
    { event: 'fault', reason: 'fault at 0', count: 1 },
    { event: 'fault', reason: 'fault at 1000', count: 3 },
    { event: 'fault', reason: 'fault at 5000', count: 1, from },
  ]);
});
