import { expect, it } from 'vitest';
import { RelayScopes } from '../../../src/node/server/relay-scopes.ts';
import { MAX_RELAY_SCOPES, SCOPE_PATIENCE_MS } from '../../../src/rendezvous/rendezvous-limits.ts';

const at = (address: string, port = 1) => ({ address, port });

it('a member may reach what is said of its peers, and no more', () => {
  const scopes = new RelayScopes();
  scopes.enter('a', 'c1');
  scopes.setReach('a', 'b', ['192.0.2.1'], [at('127.0.0.1', 50_000)]);
  expect(scopes.mayReach('a', at('192.0.2.1', 9))).toBe('yes');
  expect(scopes.mayReach('a', at('127.0.0.1', 50_000))).toBe('endpoint');
  expect(scopes.mayReach('a', at('127.0.0.1', 50_001))).toBe('no');
  expect(scopes.mayReach('b', at('192.0.2.1'))).toBe('no');
  scopes.setReach('a', 'b', ['192.0.2.2'], []);
  expect(scopes.mayReach('a', at('192.0.2.1'))).toBe('no');
  expect(scopes.mayReach('a', at('192.0.2.2'))).toBe('yes');
  scopes.removeReach('a', 'b');
  expect(scopes.mayReach('a', at('192.0.2.2'))).toBe('no');
});

it('keeps what a member may reach when it comes back by another connection, and forgets it when it leaves', () => {
  const scopes = new RelayScopes();
  scopes.enter('a', 'c1');
  scopes.setReach('a', 'b', ['192.0.2.1'], []);
  scopes.enter('a', 'c2');
  expect(scopes.connectionOf('a')).toBe('c2');
  expect(scopes.mayReach('a', at('192.0.2.1'))).toBe('yes');
  scopes.leave('a');
  expect(scopes.has('a')).toBe(false);
  expect(scopes.mayReach('a', at('192.0.2.1'))).toBe('no');
  // Of strangers nothing is kept.
  scopes.setReach('a', 'b', ['192.0.2.1'], []);
  expect(scopes.mayReach('a', at('192.0.2.1'))).toBe('no');
});

it('an address is news once, and again when it comes by another connection', () => {
  const scopes = new RelayScopes();
  expect(scopes.isNews('a', '192.0.2.1')).toBe(false);
  scopes.enter('a', 'c1');
  expect(scopes.isNews('a', '192.0.2.1')).toBe(true);
  expect(scopes.isNews('a', '192.0.2.1')).toBe(false);
  for (let n = 0; n < 100; n++) expect(scopes.isNews('a', `198.51.100.${n}`)).toBe(true);
  scopes.enter('a', 'c2');
  expect(scopes.isNews('a', '192.0.2.1')).toBe(true);
});

it('a member whose connection has ended expires, unless it comes back', () => {
  const scopes = new RelayScopes();
  scopes.enter('a', 'c1');
  scopes.enter('b', 'c2');
  scopes.enter('c', 'c3');
  scopes.handleEnd(0, 'a', 'c1');
  scopes.handleEnd(0, 'b', 'c2');
  scopes.enter('b', 'c4');
  // The end of one that has been replaced says nothing.
  scopes.handleEnd(0, 'b', 'c2');
  expect(scopes.expired(SCOPE_PATIENCE_MS - 1)).toEqual([]);
  expect(scopes.expired(SCOPE_PATIENCE_MS)).toEqual(['a']);
});

it('keeps a bounded number of members, the latest', () => {
  const scopes = new RelayScopes();
  for (let n = 0; n <= MAX_RELAY_SCOPES; n++) scopes.enter(`m${n}`, `c${n}`);
  expect(scopes.has('m0')).toBe(false);
  expect(scopes.has('m1')).toBe(true);
});
