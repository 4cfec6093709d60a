import { describe, expect, it } from 'vitest';
import {
  FILTER_KINDS,
  FILTER_LIFETIME_MS,
  type FilterKind,
  MAX_FILTER_ENTRIES,
  NatFilter,
} from '../../src/path/nat-filter.ts';

const A = { address: '127.0.0.1', port: 1 };
const A2 = { address: '127.0.0.1', port: 2 };
const B = { address: '10.0.0.1', port: 1 };

describe('the filter', () => {
  it.each<[FilterKind, boolean[], number]>([
    // Lets in, after something was sent to A: from A, from another port there, from another address; mappings for three endpoints.
    ['full-cone', [true, true, true], 1],
    ['address-restricted', [true, true, false], 1],
    ['port-restricted', [true, false, false], 1],
    ['symmetric', [true, false, false], 3],
  ])('%s', (kind, expected, mappings) => {
    const filter = new NatFilter(kind);
    const mapping = filter.outbound(0, A);
    expect([A, A2, B].map((from) => filter.inbound(1, mapping, from))).toEqual(expected);
    const names = [A, A2, B, A].map((to) => filter.outbound(2, to));
    expect(new Set(names).size).toBe(mappings);
    expect(names[3]).toBe(names[0]);
  });

  it('of a symmetric NAT lets nothing in by the port of another destination', () => {
    const filter = new NatFilter('symmetric');
    const [a, b] = [filter.outbound(0, A), filter.outbound(0, B)];
    expect([filter.inbound(0, a, A), filter.inbound(0, a, B), filter.inbound(0, b, B)]).toEqual([
      true,
      false,
      true,
    ]);
  });

  it('forgets with time', () => {
    const filter = new NatFilter('port-restricted');
    const mapping = filter.outbound(0, A);
    expect(filter.inbound(FILTER_LIFETIME_MS - 1, mapping, A)).toBe(true);
    expect(filter.inbound(FILTER_LIFETIME_MS, mapping, A)).toBe(false);
  });

  it('remembers 8,192 endpoints, those sent to last', () => {
    const filter = new NatFilter('port-restricted');
    for (let port = 1; port <= MAX_FILTER_ENTRIES + 1; port++) filter.outbound(0, { ...A, port });
    expect(filter.inbound(0, '', A)).toBe(false);
    expect(filter.inbound(0, '', { ...A, port: 2 })).toBe(true);
  });

  it('is named by the numbers 0 to 3', () => {
    expect(FILTER_KINDS).toEqual([
      'full-cone',
      'address-restricted',
      'port-restricted',
      'symmetric',
    ]);
  });
});
