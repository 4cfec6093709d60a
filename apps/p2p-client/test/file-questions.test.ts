import type { IncomingTransfer } from '@bt/nat-punch/node';
import { expect, it } from 'vitest';
import { FileQuestions } from '../src/file-questions.ts';

function questions() {
  const shown: number[] = [];
  const all = new FileQuestions(({ id }) => void shown.push(id));
  const ask = (id: number) => {
    const who = { id: 1, label: 'Ada' };
    const file = { id, who, direction: 'in', name: 'x', lengthBytes: 1 } as const;
    const question = { file, offer: {} as IncomingTransfer };
    all.ask(question);
    return question;
  };
  return { all, ask, shown };
}

it('shows the next one when the one before is answered', () => {
  const { all, ask, shown } = questions();
  const [first, second] = [ask(5), ask(7)];
  expect(shown).toEqual([5]);
  expect(all.answered(7)).toBeUndefined();
  expect(all.answered(undefined)).toBeUndefined();
  expect(all.answered(5)).toBe(first);
  expect(shown).toEqual([5, 7]);
  expect(all.answered(5)).toBeUndefined();
  expect(all.answered(7)).toBe(second);
  expect(all.answered(7)).toBeUndefined();
});

it('goes on when an offer is withdrawn, and never shows one that was withdrawn unseen', () => {
  const { all, ask, shown } = questions();
  const [first, second, third] = [ask(1), ask(2), ask(3)];
  expect([first, second].map((question) => all.isWaiting(question))).toEqual([false, true]);
  all.drop(second);
  all.drop(first);
  expect(shown).toEqual([1, 3]);
  all.drop(third);
  all.drop(third);
  ask(4);
  expect(shown).toEqual([1, 3, 4]);
  const last = ask(5);
  all.end();
  expect(all.isWaiting(last)).toBe(true);
  expect(all.answered(4)).toBeDefined();
  expect(shown).toEqual([1, 3, 4]);
});
