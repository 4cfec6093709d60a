import { createRandom } from '@bt/simulator';
import { describe, expect, it } from 'vitest';
import type { NatTraits } from '../../src/path/candidate.ts';
import {
  BIRTHDAY_SOCKETS,
  guessFor,
  MAX_BIRTHDAY_PROBES,
  openings,
  predictedShots,
  randomShots,
} from '../../src/path/guesses.ts';
import type { PathSocket } from '../../src/path/path.ts';
import { PREDICTED_PORTS } from '../../src/path/port-prediction.ts';

const CONE: NatTraits = { mapping: 'independent', filtering: 'port' };
const OPEN: NatTraits = { mapping: 'independent', filtering: 'open' };
const RANDOM: NatTraits = { mapping: 'dependent', filtering: 'port' };
const COUNTING: NatTraits = { ...RANDOM, portStep: 1 };
const socket: PathSocket = {
  id: 1,
  via: 'socket',
  family: 4,
  local: { address: '10.0.0.2', port: 1 },
};

describe('what is guessed', () => {
  it.each<[string, NatTraits, NatTraits, string | undefined]>([
    ['random with port-restricted', RANDOM, CONE, 'birthday'],
    ['counting with port-restricted', COUNTING, CONE, 'prediction'],
    ['counting with counting', COUNTING, COUNTING, 'prediction'],
    ['counting with random', COUNTING, RANDOM, undefined],
    ['random with random', RANDOM, RANDOM, undefined],
    ['random with what lets all in', RANDOM, OPEN, undefined],
    ['port-restricted with random: that is the other side’s part', CONE, RANDOM, undefined],
    ['random with unknown', RANDOM, { mapping: 'unknown', filtering: 'unknown' }, 'birthday'],
  ])('%s', (_name, own, peer, way) => {
    expect(guessFor(own, peer)).toBe(way);
  });
});

describe('shots', () => {
  it('of a birthday attack meet one of 256 random ports nearly always', () => {
    const random = createRandom(9);
    let met = 0;
    for (let run = 0; run < 50; run++) {
      const open = new Set(
        Array.from({ length: BIRTHDAY_SOCKETS }, () => 1024 + Math.floor(random() * 64_512)),
      );
      const shots = [...randomShots(socket, ['6.0.0.1'], random)];
      expect(shots).toHaveLength(MAX_BIRTHDAY_PROBES);
      if (shots.some(({ to }) => open.has(to.port))) met += 1;
    }
    expect(met).toBe(50);
  });

  it('of a prediction follow the sample, at each address', () => {
    const shots = [...predictedShots(socket, ['6.0.0.1', '6.0.0.2'], { port: 5_000, portStep: 2 })];
    expect(shots).toHaveLength(2 * PREDICTED_PORTS);
    expect(shots.slice(0, 3).map(({ to }) => to.port)).toEqual([5_002, 5_002, 5_004]);
  });

  it('open every socket for every endpoint', () => {
    const sockets = [socket, { ...socket, id: 2 }];
    const shots = [...openings(sockets, [{ address: '6.0.0.1', port: 7 }], 2)];
    expect(shots.map((shot) => [shot.socket.id, shot.to.port, shot.ttl])).toEqual([
      [1, 7, 2],
      [2, 7, 2],
    ]);
  });
});
