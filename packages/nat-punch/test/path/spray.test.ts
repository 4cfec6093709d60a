import { expect, it } from 'vitest';
import type { PathSocket } from '../../src/path/path.ts';
import { Spray, type SprayShot } from '../../src/path/spray.ts';

const socket: PathSocket = {
  id: 1,
  via: 'socket',
  family: 4,
  local: { address: '10.0.0.1', port: 1 },
};

function spray(count: number) {
  const shots: SprayShot[] = Array.from({ length: count }, (_, port) => ({
    socket,
    to: { address: '5.0.0.1', port },
  }));
  return new Spray({ origin: 'birthday', startMs: 100, perSecond: 500, shots: shots.values() });
}

const due = (machine: Spray, now: number) => {
  let count = 0;
  while (machine.take(now) !== undefined) count += 1;
  return count;
};

it('goes at its rate, whenever it is looked after', () => {
  const machine = spray(1_000);
  expect([due(machine, 99), due(machine, 100), due(machine, 101), due(machine, 110)]).toEqual([
    0, 1, 0, 5,
  ]);
  expect(machine.deadline()).toBe(112);
});

it('makes up for a tenth of a second at most', () => {
  const machine = spray(10_000);
  expect(due(machine, 5_000)).toBeLessThan(60);
});

it('ends', () => {
  const machine = spray(3);
  due(machine, 200);
  expect(machine.deadline()).toBe(Number.POSITIVE_INFINITY);
});
