import { expect, it } from 'vitest';
import { ConnectionCount } from '../src/connection-count.ts';
import { MAX_TCP_CONNECTIONS, MAX_TCP_CONNECTIONS_PER_ADDRESS } from '../src/turn/relay-limits.ts';

/** How many of `tries` from this address are let in. */
function added(to: ConnectionCount, address: string, tries: number): number {
  return Array.from({ length: tries }, () => to.add(address)).filter((is) => is).length;
}

it(`takes ${MAX_TCP_CONNECTIONS_PER_ADDRESS} connections of an address, and of an IPv6 /64`, () => {
  const count = new ConnectionCount();
  expect(added(count, '203.0.113.7', 300)).toBe(MAX_TCP_CONNECTIONS_PER_ADDRESS);
  expect(added(count, '203.0.113.8', 1)).toBe(1);
  expect(added(count, '2001:db8::1', 200) + added(count, '2001:db8::2', 200)).toBe(
    MAX_TCP_CONNECTIONS_PER_ADDRESS,
  );
  count.remove('203.0.113.7');
  expect(added(count, '203.0.113.7', 5)).toBe(1);
});

it(`takes ${MAX_TCP_CONNECTIONS} in all`, () => {
  const count = new ConnectionCount();
  let total = 0;
  for (let i = 0; i < 100; i++) total += added(count, `203.0.113.${i}`, 100);
  expect(total).toBe(MAX_TCP_CONNECTIONS);
  expect(count.total).toBe(MAX_TCP_CONNECTIONS);
  for (let i = 0; i < 100; i++) {
    for (let j = 0; j < 100; j++) count.remove(`203.0.113.${i}`);
  }
  expect(count.total).toBe(0);
  expect(added(count, '203.0.113.1', 1)).toBe(1);
});
