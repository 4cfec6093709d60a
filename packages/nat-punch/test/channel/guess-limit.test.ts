import { expect, it } from 'vitest';
import {
  GUESS_PERIOD_MS,
  GuessLimit,
  MAX_GUESSES,
  MAX_NETWORK_GUESSES,
} from '../../src/channel/guess-limit.ts';

it('counts exchanges that came to nothing, for a while', () => {
  const limit = new GuessLimit();
  for (let guess = 0; guess < MAX_GUESSES; guess += 1) expect(limit.begin(guess)).toBeDefined();
  expect(limit.begin(100)).toBeUndefined();
  expect(limit.begin(GUESS_PERIOD_MS)).toBeDefined();
  expect(limit.begin(GUESS_PERIOD_MS)).toBeUndefined();
});

it('counts no exchange with someone who knew the phrase, and all others', () => {
  const limit = new GuessLimit();
  for (let guess = 0; guess < 10 * MAX_GUESSES; guess += 1) limit.begin(guess)!.succeeded();
  const first = limit.begin(0)!;
  for (let guess = 1; guess < MAX_GUESSES; guess += 1) expect(limit.begin(1000)).toBeDefined();
  first.succeeded();
  first.succeeded();
  // The others have begun later, and count for longer.
  expect(limit.begin(GUESS_PERIOD_MS)).toBeDefined();
  expect(limit.begin(GUESS_PERIOD_MS)).toBeUndefined();
});

it('gives one network a share, and all of them no more than all', () => {
  const limit = new GuessLimit();
  const count = (address: string) => {
    const guesses = limit.of([address]);
    let begun = 0;
    while (guesses.begin(0) !== undefined) begun += 1;
    return begun;
  };
  expect(count('192.0.2.1')).toBe(MAX_NETWORK_GUESSES);
  expect(count('192.0.2.1')).toBe(0);
  expect(count('2001:db8::1')).toBe(MAX_NETWORK_GUESSES);
  expect(count('2001:db8::2')).toBe(0);
  expect(count('no address')).toBe(MAX_GUESSES - 2 * MAX_NETWORK_GUESSES);
  expect(count('192.0.2.2')).toBe(0);
});
