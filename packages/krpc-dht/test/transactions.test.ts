import { encodeCompact } from '@bt/endpoint';
import { createRandom } from '@bt/simulator';
import { expect, it } from 'vitest';
import {
  FIRST_PATIENCE_MS,
  MAX_OUTSTANDING_QUERIES,
  MAX_PATIENCE_MS,
  QUERY_TIMEOUT_MS,
} from '../src/constants.ts';
import { type Query, Transactions } from '../src/transactions.ts';
import { id, received } from './bytes.ts';

const ENDPOINT = encodeCompact({ address: '192.0.2.1', port: 6881 });
const listener = { onAnswer: () => undefined, onFailure: () => undefined };

function open(transactions: Transactions, now: number): Query {
  const node = Uint8Array.of(...id(1), ...ENDPOINT);
  return transactions.open(now, {
    ...{ family: 4, method: 'ping', node, knowsId: true, staysOut: false, listener },
  });
}

function answerTo(query: Query) {
  const t = Uint8Array.of(query.key >>> 24, query.key >>> 16, query.key >>> 8, query.key);
  return received({ r: { id: id(1) }, t, y: 'r' });
}

it('an answer belongs to its query once, and only from the endpoint that was asked', () => {
  const transactions = new Transactions(createRandom(1));
  const query = open(transactions, 0);
  const other = encodeCompact({ address: '192.0.2.1', port: 6882 });
  expect(transactions.close(10, answerTo(query), other)).toBe(undefined);
  expect(transactions.close(10, answerTo(query), ENDPOINT)).toBe(query);
  expect(transactions.close(10, answerTo(query), ENDPOINT)).toBe(undefined);
  expect(transactions.roundTrip.smoothedMs).toBe(10);
});

it('a transaction id of another length or value belongs to nothing', () => {
  const transactions = new Transactions(createRandom(1));
  const query = open(transactions, 0);
  for (const t of ['', 'aa', 'abcde', 'abcd']) {
    const message = received({ r: { id: id(1) }, t, y: 'r' });
    expect(transactions.close(0, message, ENDPOINT)).toBe(undefined);
  }
  expect(transactions.close(0, answerTo(query), ENDPOINT)).toBe(query);
});

it('ids are random: they use all 32 bits', () => {
  const transactions = new Transactions(createRandom(7));
  let ones = 0;
  let zeros = 0;
  for (let i = 0; i < 200; i++) {
    const { key } = open(transactions, 0);
    ones |= key;
    zeros |= ~key;
  }
  expect(ones).toBe(-1);
  expect(zeros).toBe(-1);
});

it('a query is slow after the patience, still answered then, and fails after six seconds', () => {
  const transactions = new Transactions(createRandom(1));
  const first = open(transactions, 0);
  const second = open(transactions, 100);
  expect(transactions.deadline()).toBe(FIRST_PATIENCE_MS);
  expect(transactions.takeDue(FIRST_PATIENCE_MS - 1)).toBe(undefined);
  expect(transactions.takeDue(FIRST_PATIENCE_MS)).toEqual({ query: first, hasFailed: false });
  expect(first.isSlow).toBe(true);
  expect(transactions.takeDue(FIRST_PATIENCE_MS)).toBe(undefined);
  expect(transactions.takeDue(2_000)).toEqual({ query: second, hasFailed: false });
  expect(transactions.close(3_000, answerTo(second), ENDPOINT)).toBe(second);
  expect(transactions.takeDue(3_000)).toBe(undefined);
  expect(transactions.deadline()).toBe(QUERY_TIMEOUT_MS);
  expect(transactions.takeDue(QUERY_TIMEOUT_MS)).toEqual({ query: first, hasFailed: true });
  expect(transactions.size).toBe(0);
  expect(transactions.takeDue(QUERY_TIMEOUT_MS)).toBe(undefined);
  expect(transactions.deadline()).toBe(Number.POSITIVE_INFINITY);
  expect(transactions.close(QUERY_TIMEOUT_MS, answerTo(first), ENDPOINT)).toBe(undefined);
});

it('patience that shrinks takes nobody out of turn, and never delays by more than its greatest', () => {
  const transactions = new Transactions(createRandom(1));
  const first = open(transactions, 0);
  const quick = open(transactions, 0);
  transactions.close(1, answerTo(quick), ENDPOINT);
  expect(transactions.roundTrip.patienceMs).toBeLessThan(FIRST_PATIENCE_MS);
  const later = open(transactions, 1);
  expect(later.dueAt).toBe(first.dueAt);
  expect(later.dueAt).toBeLessThanOrEqual(1 + MAX_PATIENCE_MS);
});

it('has a limit', () => {
  const transactions = new Transactions(createRandom(1));
  for (let i = 0; i < MAX_OUTSTANDING_QUERIES; i++) {
    expect(transactions.isFull).toBe(false);
    open(transactions, 0);
  }
  expect(transactions.isFull).toBe(true);
});
