import { expect, test } from 'vitest';
import { parseFlows, trafficOf, trafficSince } from '../src/node/nat-lab/traffic.ts';

const element = (from: string, to: string, protocol: string | number, packets: number) => ({
  elem: {
    val: { concat: [from, to, protocol] },
    counter: { packets, bytes: packets * 100 },
  },
});
const printed = (...elem: object[]) =>
  JSON.stringify({ nftables: [{ metainfo: {} }, { set: { name: 'flows', elem } }] });
const SERVERS = ['198.51.100.1', '198.51.100.2'];

test('a router without a packet has no flows', () => {
  expect(parseFlows(JSON.stringify({ nftables: [{ set: { name: 'flows' } }] }))).toEqual([]);
});

test('tells what goes between clients from what goes by way of a server', () => {
  const flows = parseFlows(
    printed(
      element('203.0.113.1', '203.0.113.2', 'udp', 3),
      element('203.0.113.2', '203.0.113.1', 'udp', 4),
      element('203.0.113.1', '198.51.100.2', 'tcp', 5),
      element('198.51.100.1', '203.0.113.2', 'udp', 6),
      element('198.51.100.1', '198.51.100.3', 'tcp', 100),
      element('203.0.113.1', '203.0.113.2', 132, 1),
    ),
  );
  expect(flows[5]).toMatchObject({ protocol: 'other' });
  expect(trafficOf(flows, [...SERVERS, '198.51.100.3'])).toEqual({
    direct: { packets: 8, bytes: 800 },
    viaServer: { packets: 11, bytes: 1100 },
  });
});

test('counts what came to be between two moments', () => {
  const before = trafficOf(parseFlows(printed(element('a', 'b', 'udp', 3))), SERVERS);
  const after = trafficOf(parseFlows(printed(element('a', 'b', 'udp', 5))), SERVERS);
  expect(trafficSince(before, after)).toEqual({
    direct: { packets: 2, bytes: 200 },
    viaServer: { packets: 0, bytes: 0 },
  });
});
