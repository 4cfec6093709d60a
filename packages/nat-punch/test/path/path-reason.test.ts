import { expect, it } from 'vitest';
import type { NatTraits } from '../../src/path/candidate.ts';
import { Path } from '../../src/path/path.ts';
import { describePath, type PairFacts } from '../../src/path/path-reason.ts';
import type { Via } from '../../src/path/probe.ts';

const NAT: NatTraits = { mapping: 'independent', filtering: 'port' };
const SEEN = { kind: 'reflexive', address: '6.0.0.1', port: 1 } as const;

function reason(via: Via, facts: PairFacts): string {
  const socket = { id: 1, via, family: 4, local: { address: '10.0.0.2', port: 1 } } as const;
  return describePath(new Path(0, socket, { address: '6.0.0.9', port: 2 }, 'punched'), facts)
    .reason;
}

it('blames UDP for a relay only where the relay is not reached by it', () => {
  const known = { nat: NAT, candidates: [SEEN] };
  const unknown = { nat: NAT, candidates: [] };
  expect(reason('relay-tcp', { own: unknown, peer: known })).toBe('no UDP gets out here');
  expect(reason('relay-tls', { own: known, peer: unknown })).toBe(
    'no UDP gets out at the other side',
  );
  for (const facts of [
    { own: unknown, peer: known },
    { own: known, peer: unknown },
  ]) {
    expect(reason('relay-udp', facts)).toBe('no direct path has answered');
  }
});
