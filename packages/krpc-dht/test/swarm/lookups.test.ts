import { describe, expect, it } from 'vitest';
import { censor, corrupt, measureLookups } from './neighbours.ts';
import { Swarm } from './swarm.ts';

const SEED = 20_261_126;

describe(`in a network of 1,000 nodes (seed ${SEED})`, () => {
  const swarm = new Swarm({ seed: SEED });
  swarm.grow(1_000, 20, 5 * 60_000);

  it('lookups find the 8 nodes nearest to a target', () => {
    const report = measureLookups(swarm, 1_000);
    expect(report.exact).toBeGreaterThanOrEqual(990);
    expect(report.hops.p99).toBeLessThanOrEqual(6);
    expect(report.queries.p99).toBeLessThanOrEqual(24);
  });

  it('and they do when a fifth of the nodes have just died and a tenth tell of random nodes', () => {
    corrupt(swarm, 0.2, 0.1);
    const report = measureLookups(swarm, 1_000);
    expect(report.exact).toBeGreaterThanOrEqual(950);
    expect(report.queries.p99).toBeLessThanOrEqual(40);
  });
});

describe(`in a network of 300 nodes (seed ${SEED})`, () => {
  it('a tenth that names nodes beside those nearest to a target keeps nobody out', () => {
    const swarm = new Swarm({ seed: SEED });
    swarm.grow(300, 50, 5 * 60_000);
    censor(swarm, 0.1);
    const report = measureLookups(swarm, 300);
    expect(8 * report.found).toBeGreaterThanOrEqual(7.8);
    expect(report.queries.p99).toBeLessThanOrEqual(80);
  });
});
