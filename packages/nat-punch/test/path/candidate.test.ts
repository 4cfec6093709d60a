import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_CANDIDATES, type PathSignal, parsePathSignal } from '../../src/path/candidate.ts';

const PUBLIC = { allowLoopback: false };
const NAT = { mapping: 'dependent', filtering: 'port', portStep: -2 } as const;
const read = (data: unknown) => parsePathSignal(data, PUBLIC);
const withCandidates = (candidates: unknown) => ({
  kind: 'candidates',
  round: 0,
  nat: NAT,
  candidates,
});

describe('signals of a peer', () => {
  it('come through as they are', () => {
    const signals: PathSignal[] = [
      {
        kind: 'candidates',
        round: 3,
        nat: NAT,
        candidates: [
          { kind: 'host', address: '192.168.1.2', port: 5 },
          { kind: 'reflexive', address: '2001:db8::1', port: 65_535 },
          { kind: 'relayed', address: '8.8.8.8', port: 1 },
        ],
      },
      { kind: 'candidates', round: 0, nat: { mapping: 'none', filtering: 'open' }, candidates: [] },
      { kind: 'punch', round: 1, way: 'opened' },
      { kind: 'punch', round: 1, way: 'birthday' },
      { kind: 'punch', round: 1, way: 'prediction', port: 7 },
    ];
    for (const signal of signals) expect(read(JSON.parse(JSON.stringify(signal)))).toEqual(signal);
  });

  it('leave out what can be no peer: loopback from elsewhere, port 0, multicast', () => {
    const addresses = [
      '127.0.0.1',
      '::1',
      '0.0.0.0',
      '224.0.0.1',
      '255.255.255.255',
      '::ffff:127.0.0.1',
    ];
    const candidates = addresses.map((address) => ({ kind: 'host', address, port: 9 }));
    const data = withCandidates([...candidates, { kind: 'host', address: '1.2.3.4', port: 0 }]);
    expect(read(data)).toMatchObject({ candidates: [] });
    expect(parsePathSignal(data, { allowLoopback: true })).toMatchObject({
      candidates: [{ address: '127.0.0.1' }, { address: '::1' }, { address: '127.0.0.1' }],
    });
  });

  it('have at most 16 candidates', () => {
    const many = Array(1_000).fill({ kind: 'host', address: '1.2.3.4', port: 1 });
    expect(read(withCandidates(many))).toHaveProperty('candidates.length', MAX_CANDIDATES);
  });

  it.each([
    withCandidates([{ kind: 'host', address: 'example.org', port: 1 }]),
    withCandidates([{ kind: 'host', address: '1.2.3.4', port: 65_536 }]),
    withCandidates([{ kind: 'other', address: '1.2.3.4', port: 1 }]),
    withCandidates({ length: 1 }),
    { ...withCandidates([]), round: -1 },
    { ...withCandidates([]), round: 1.5 },
    { ...withCandidates([]), nat: { mapping: 'x', filtering: 'open' } },
    { ...withCandidates([]), nat: { mapping: 'none', filtering: 'open', portStep: 0 } },
    { ...withCandidates([]), nat: { mapping: 'none', filtering: 'open', portStep: 500 } },
    { kind: 'punch', round: 0, way: 'prediction', port: '1' },
    { kind: 'punch', round: 0, way: 'other' },
    { kind: 'channel', round: 0 },
    [],
    null,
  ])('are none: %j', (data) => {
    expect(read(data)).toBeUndefined();
  });

  it('are read from anything without an error', () => {
    fc.assert(fc.property(fc.anything(), (data) => void read(data)));
  });
});
