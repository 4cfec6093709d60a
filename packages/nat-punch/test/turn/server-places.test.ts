import { describe, expect, it } from 'vitest';
import { serverPlaces } from '../../src/turn/server-places.ts';

const pairs = (addresses: readonly string[], alternate?: string) =>
  serverPlaces(addresses, 3478, alternate).map(
    ({ address, port, otherPort, otherAddress }) =>
      `${address}:${port} ${otherAddress ?? '-'}:${otherPort}`,
  );

describe('where a server listens', () => {
  it('one address has two ports', () => {
    expect(pairs(['192.0.2.1'])).toEqual(['192.0.2.1:3478 -:3479', '192.0.2.1:3479 -:3478']);
  });

  it('two addresses answer for each other', () => {
    expect(pairs(['192.0.2.1', '192.0.2.2'], '192.0.2.2')).toEqual([
      '192.0.2.1:3478 192.0.2.2:3479',
      '192.0.2.1:3479 192.0.2.2:3478',
      '192.0.2.2:3478 192.0.2.1:3479',
      '192.0.2.2:3479 192.0.2.1:3478',
    ]);
  });

  it('loopback and the other family are not paired with a public alternate', () => {
    const all = ['127.0.0.1', '::1', '2001:db8::1', '192.0.2.1', '192.0.2.2'];
    const places = serverPlaces(all, 3478, '192.0.2.2');
    const other = (address: string) =>
      places.find((place) => place.address === address)!.otherAddress;
    expect(all.map(other)).toEqual([undefined, undefined, undefined, '192.0.2.2', '192.0.2.1']);
  });

  it('an alternate of another kind than all others serves them nevertheless', () => {
    expect(pairs(['10.0.0.1', '192.0.2.2'], '192.0.2.2')[0]).toBe('10.0.0.1:3478 192.0.2.2:3479');
  });
});
