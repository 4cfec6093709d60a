import { describe, expect, it } from 'vitest';
import {
  MAX_UNANSWERED_PROBES,
  MAX_UNSEEN_ADDRESSES,
  ProbeBudget,
} from '../../src/path/probe-budget.ts';

const taken = (budget: ProbeBudget, address: string) => {
  let count = 0;
  while (count < 1_000 && budget.takeProbe(address)) count += 1;
  return count;
};

describe('the budget', () => {
  it('has 10 probes and as many answers for an address that only the peer vouches for', () => {
    const budget = new ProbeBudget();
    expect(taken(budget, '9.9.9.9')).toBe(MAX_UNANSWERED_PROBES);
    let answers = 0;
    while (budget.takeAnswer('9.9.9.9')) answers += 1;
    expect(answers).toBe(MAX_UNANSWERED_PROBES);
  });

  it('ends when the address answers, or the server has seen it', () => {
    const budget = new ProbeBudget();
    taken(budget, '9.9.9.9');
    budget.handleAnswer('9.9.9.9');
    budget.addSeen('6.0.0.1');
    expect([taken(budget, '9.9.9.9'), taken(budget, '6.0.0.1')]).toEqual([1_000, 1_000]);
    expect([budget.isSeen('9.9.9.9'), budget.isSeen('6.0.0.1')]).toEqual([false, true]);
  });

  it('is for 48 addresses in the life of a pair, unless we move', () => {
    const budget = new ProbeBudget();
    const address = (n: number) => `9.9.${n >> 8}.${n & 255}`;
    const count = () =>
      Array.from({ length: 500 }, (_, n) => budget.takeProbe(address(n))).filter(Boolean).length;
    expect([count(), budget.takeProbe('1.1.1.1')]).toEqual([MAX_UNSEEN_ADDRESSES, false]);
    budget.reset();
    expect(budget.takeProbe('1.1.1.1')).toBe(true);
  });
});
