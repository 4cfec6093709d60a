import { expect, it } from 'vitest';
import type { PathSocket } from '../../src/path/path.ts';
import { MAX_OUTSTANDING_PROBES, SentProbes } from '../../src/path/sent-probes.ts';

const socket: PathSocket = {
  id: 1,
  via: 'socket',
  family: 4,
  local: { address: '10.0.0.2', port: 1 },
};
const probe = {
  socket,
  to: { address: '6.0.0.1', port: 1 },
  timeMs: 0,
  origin: 'punched',
} as const;

it('an answer counts once, at the socket that the probe went from', () => {
  const sent = new SentProbes();
  sent.add(7n, probe);
  expect([sent.take(7n, 2), sent.take(8n, 1)]).toEqual([undefined, undefined]);
  expect([sent.take(7n, 1), sent.take(7n, 1)]).toEqual([probe, undefined]);
});

it('the oldest of too many are given up', () => {
  const sent = new SentProbes();
  for (let sequence = 0; sequence <= MAX_OUTSTANDING_PROBES; sequence++)
    sent.add(BigInt(sequence), probe);
  expect([sent.size, sent.take(0n, 1)]).toEqual([MAX_OUTSTANDING_PROBES, undefined]);
  expect(sent.take(1n, 1)).toBe(probe);
});
