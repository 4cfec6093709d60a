import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseRouteTable } from '../../src/port-mapping/route-table.ts';

/** As Linux prints it, with tabs. */
const TABLE = `Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
tun0\t00000000\t00000000\t0001\t0\t0\t50\t00000000\t0\t0\t0
wlan0\t00000000\tFE02000A\t0003\t0\t0\t600\t00000000\t0\t0\t0
eth1\t00000000\t0101A8C0\t0002\t0\t0\t600\t00000000\t0\t0\t0
`;

it('reads the default gateways that are up', () => {
  expect(parseRouteTable(TABLE, true)).toEqual([
    { interfaceName: 'eth0', gateway: '192.168.1.1' },
    { interfaceName: 'wlan0', gateway: '10.0.2.254' },
  ]);
});

it('reads them in the byte order of the machine', () => {
  const [first] = parseRouteTable(TABLE.replaceAll('0101A8C0', 'C0A80101'), false);
  expect(first?.gateway).toBe('192.168.1.1');
});

it('takes any text', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(parseRouteTable(`\n${text}`, true)).toEqual([]);
    }),
  );
});
