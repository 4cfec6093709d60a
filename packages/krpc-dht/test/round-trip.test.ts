import fc from 'fast-check';
import { expect, it } from 'vitest';
import { FIRST_PATIENCE_MS, MAX_PATIENCE_MS, MIN_PATIENCE_MS } from '../src/constants.ts';
import { RoundTrip } from '../src/round-trip.ts';

it('is a second before anything is known', () => {
  expect(new RoundTrip().patienceMs).toBe(FIRST_PATIENCE_MS);
});

it('follows RFC 6298 section 2: the first measurement gives three times itself', () => {
  const roundTrip = new RoundTrip();
  roundTrip.measure(400);
  expect(roundTrip.patienceMs).toBe(400 + 4 * 200);
  roundTrip.measure(400);
  expect(roundTrip.patienceMs).toBe(400 + 4 * 150);
  roundTrip.measure(800);
  expect(roundTrip.smoothedMs).toBe(450);
  expect(roundTrip.patienceMs).toBe(450 + 4 * 212.5);
});

it('stays within bounds whatever is measured', () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 1e6, noNaN: true })), (measured) => {
      const roundTrip = new RoundTrip();
      for (const each of measured) roundTrip.measure(each);
      expect(roundTrip.patienceMs).toBeGreaterThanOrEqual(MIN_PATIENCE_MS);
      expect(roundTrip.patienceMs).toBeLessThanOrEqual(MAX_PATIENCE_MS);
    }),
  );
});
