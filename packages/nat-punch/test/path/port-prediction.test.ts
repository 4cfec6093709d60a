import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  FIRST_MAPPED_PORT,
  PREDICTED_PORTS,
  portStepOf,
  predictPorts,
  randomPorts,
} from '../../src/path/port-prediction.ts';

describe('the step from port to port', () => {
  it.each<[number[], number | undefined]>([
    [[2000, 2001, 2002, 2003], 1],
    [[2000, 2002, 2004], 2],
    [[2000, 1999, 1998], -1],
    [[2000, 2001, 2004, 2005], 1], // others have mapped in between
    [[2000, 2004, 2006, 2008], 2],
    [[65_534, 65_535, 1024, 1025], 1], // begins its range anew
    [[2000, 2001], undefined], // too few to say
    [[2000, 2000, 2000], undefined],
    [[2000, 51_234, 7_001, 33_000], undefined],
    [[2000, 2003, 2005], undefined],
    [[2000, 2040, 2080], undefined],
  ])('%j: %s', (ports, step) => {
    expect(portStepOf(ports)).toBe(step);
  });

  it('is found in few of the lists of random ports', () => {
    let found = 0;
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1024, max: 65_535 }), { minLength: 4, maxLength: 4 }),
        (ports) => {
          if (portStepOf(ports) !== undefined) found += 1;
        },
      ),
      { numRuns: 2_000, seed: 1 },
    );
    expect(found).toBeLessThan(20);
  });
});

it('the next ports are predicted over the end of the range, both ways', () => {
  expect(predictPorts(65_534, 1, 3)).toEqual([65_535, FIRST_MAPPED_PORT, FIRST_MAPPED_PORT + 1]);
  expect(predictPorts(FIRST_MAPPED_PORT + 1, -2, 2)).toEqual([65_535, 65_533]);
  expect(predictPorts(5_000, 1)).toHaveLength(PREDICTED_PORTS);
});

it('random ports are each of the range, once', () => {
  let state = 1;
  const random = () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
  const ports = [...randomPorts(random)];
  expect(new Set(ports).size).toBe(65_536 - FIRST_MAPPED_PORT);
  expect(Math.min(...ports)).toBe(FIRST_MAPPED_PORT);
  expect(ports.slice(0, 3)).not.toEqual([...ports].sort((a, b) => a - b).slice(0, 3));
});
