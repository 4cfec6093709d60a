import { describe, expect, it } from 'vitest';
import { Pace } from '../../src/view/pace.ts';

const HOUR = 3600;

/** The seconds of a run at which a line is printed, when it reads like this in each second. */
function printedAt(seconds: number, line: (second: number) => string): number[] {
  const pace = new Pace();
  return Array.from({ length: seconds + 1 }, (_, second) => second).filter((second) =>
    pace.isDue(line(second), second * 1_000),
  );
}

describe('a line of progress', () => {
  it('comes every five seconds in the first minute, then every minute', () => {
    const first = Array.from({ length: 12 }, (_, index) => index * 5);
    expect(printedAt(180, (second) => `${second}%`)).toEqual([...first, 115, 175]);
  });

  it('comes every ten minutes while nothing changes', () => {
    expect(printedAt(HOUR, () => 'Seeding')).toEqual([0, 600, 1200, 1800, 2400, 3000, 3600]);
  });

  it('comes within a minute of a change', () => {
    const changed = (second: number) => (second < 1_000 ? 'no peers' : '1 peer');
    expect(printedAt(2_000, changed)).toEqual([0, 600, 1_000, 1_600]);
  });
});
