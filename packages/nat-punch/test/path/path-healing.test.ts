import { describe, expect, it } from 'vitest';
import { PathHealing, type Trouble } from '../../src/path/path-healing.ts';

/** When rounds begin from 0 on, and with what, while the trouble lasts. */
function rounds(
  healing: PathHealing,
  trouble: Trouble,
  untilMs: number,
  facts: { hadPath?: boolean; busyUntilMs?: number } = {},
): string[] {
  const begun: string[] = [];
  for (let now = 0; now <= untilMs; now += 100) {
    const round = healing.step(now, { trouble, hadPath: true, busyUntilMs: 0, ...facts });
    if (round !== undefined) begun.push(`${now} ${round}`);
  }
  return begun;
}

describe('rounds', () => {
  it('begin at once when a path has died, then ever more seldom', () => {
    expect(rounds(new PathHealing(false), 'lost', 16_000)).toEqual([
      '0 fresh',
      '1000 fresh',
      '3000 fresh',
      '7000 fresh',
      '15000 fresh',
    ]);
  });

  it('give the first one time', () => {
    expect(rounds(new PathHealing(true), 'lost', 3_500, { hadPath: false })).toEqual([
      '3000 fresh',
    ]);
  });

  it('go on with a relay, begun by the controlling side', () => {
    const times = ['0 fresh', '3000 again', '11000 again', '31000 again', '91000 again'];
    expect(rounds(new PathHealing(true), 'relayed', 92_000)).toEqual(times);
    expect(rounds(new PathHealing(false), 'relayed', 92_000)).toEqual(['0 fresh']);
  });

  it('wait while ports are guessed, unless there is nothing at all', () => {
    const busy = { busyUntilMs: 5_500 };
    expect(rounds(new PathHealing(true), 'relayed', 6_000, busy)).toEqual(['5500 fresh']);
    expect(rounds(new PathHealing(true), 'lost', 500, busy)).toEqual(['0 fresh']);
  });

  it('end with the trouble', () => {
    const healing = new PathHealing(true);
    rounds(healing, 'lost', 1_500);
    expect(rounds(healing, 'none', 60_000)).toEqual([]);
    expect(healing.deadline()).toBe(Number.POSITIVE_INFINITY);
  });
});
