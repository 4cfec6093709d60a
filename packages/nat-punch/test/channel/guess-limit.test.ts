import { expect, it } from 'vitest';
import { GUESS_PERIOD_MS, GuessLimit, MAX_GUESSES } from '../../src/channel/guess-limit.ts';

it('counts exchanges that came to nothing, for a while', () => {
  const limit = new GuessLimit();
  for (let guess = 0; guess < MAX_GUESSES; guess += 1) expect(limit.begin(guess)).toBe(true);
  expect(limit.begin(100)).toBe(false);
  expect(limit.begin(GUESS_PERIOD_MS)).toBe(true);
  expect(limit.begin(GUESS_PERIOD_MS)).toBe(false);
});

it('counts no exchange with someone who knew the phrase', () => {
  const limit = new GuessLimit();
  for (let guess = 0; guess < 10 * MAX_GUESSES; guess += 1) {
    expect(limit.begin(guess)).toBe(true);
    limit.succeeded();
  }
});
