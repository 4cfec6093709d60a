import { encodeCompact } from '@bt/endpoint';
import { expect, it } from 'vitest';
import { MAX_TOLD_NODES } from '../src/constants.ts';
import { forEachToldNode } from '../src/told-nodes.ts';
import { id, received } from './bytes.ts';

const node = (address: string, port = 6881) =>
  Uint8Array.of(...id(7), ...encodeCompact({ address, port }));

/** Which of the nodes are taken from somebody at this address. */
function taken(teller: string, nodes: readonly Uint8Array[], family: 4 | 6 = 4): number[] {
  const key = family === 4 ? 'nodes' : 'nodes6';
  const all = Uint8Array.of(...nodes.flatMap((each) => [...each]));
  const message = received({ r: { id: id(1), [key]: all }, t: 'aa', y: 'r' });
  const at: number[] = [];
  const start = family === 4 ? message.nodesAt : message.nodes6At;
  forEachToldNode(message, family, node(teller), teller.includes(':') ? 6 : 4, (_, offset) =>
    at.push((offset - start) / (family === 4 ? 26 : 38)),
  );
  return at;
}

it('nodes without a port or at an address that nobody has are passed over', () => {
  const nodes = [
    node('192.0.2.1', 0),
    node('0.0.0.0'),
    node('224.0.0.1'),
    node('255.255.255.255'),
    node('192.0.2.1'),
  ];
  expect(taken('198.51.100.1', nodes)).toEqual([4]);
});

it('loopback is taken from loopback, and local networks from anybody who is not public', () => {
  const nodes = [node('127.0.0.1'), node('10.0.0.1'), node('192.168.1.1'), node('192.0.2.1')];
  expect(taken('198.51.100.1', nodes)).toEqual([3]);
  expect(taken('10.0.0.9', nodes)).toEqual([1, 2, 3]);
  expect(taken('127.0.0.1', nodes)).toEqual([0, 1, 2, 3]);
});

it('so it is with IPv6', () => {
  const nodes = ['::', '::1', 'fd00::1', 'ff02::1', '2001:db8::1'].map((address) => node(address));
  expect(taken('2001:db8::2', nodes, 6)).toEqual([4]);
  expect(taken('fd00::2', nodes, 6)).toEqual([2, 4]);
  expect(taken('192.0.2.1', nodes, 6)).toEqual([4]);
});

it('the first 16 of an answer are taken', () => {
  const nodes = Array.from({ length: 50 }, (_, i) => node(`192.0.2.${i}`));
  expect(taken('198.51.100.1', nodes)).toHaveLength(MAX_TOLD_NODES);
});

it('an IPv4 address in the form of IPv6 is passed over: it belongs to the other DHT', () => {
  const mapped = Uint8Array.of(...id(7), ...new Uint8Array(10), 255, 255, 192, 0, 2, 1, 1, 1);
  expect(taken('2001:db8::1', [mapped, node('2001:db8::2')], 6)).toEqual([1]);
});
