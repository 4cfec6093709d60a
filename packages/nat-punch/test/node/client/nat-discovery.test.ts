import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { discoverNat } from '../../../src/node/client/nat-discovery.ts';
import type { RelayServer } from '../../../src/node/server/relay-server.ts';
import { FILTER_KINDS, type FilterKind } from '../../../src/path/nat-filter.ts';
import { startRelay } from '../../support/traversal-server.ts';

let relay: RelayServer;

beforeAll(async () => {
  relay = await startRelay({ alternateAddress: '127.0.0.2' });
});

afterAll(async () => {
  await relay.close();
});

const server = () => ({ address: '127.0.0.1', port: relay.port });

describe('this machine', () => {
  it('has no NAT to a server on it', async () => {
    const result = await discoverNat({ server: server() });
    expect(result).toMatchObject({
      hasUdp: true,
      mapping: 'none',
      filtering: 'endpoint-independent',
    });
    expect(result.reflexive?.address).toBe('127.0.0.1');
  });

  it.each<[FilterKind, string, string]>([
    ['full-cone', 'endpoint-independent', 'endpoint-independent'],
    ['address-restricted', 'endpoint-independent', 'address-dependent'],
    ['port-restricted', 'endpoint-independent', 'address-and-port-dependent'],
    ['symmetric', 'address-and-port-dependent', 'address-and-port-dependent'],
  ])('in test mode has a NAT: %s', async (natFilter, mapping, filtering) => {
    expect(FILTER_KINDS).toContain(natFilter);
    expect(await discoverNat({ server: server(), natFilter })).toMatchObject({
      mapping,
      filtering,
    });
  });
});

it('no server: no UDP', async () => {
  const result = await discoverNat({ server: { address: '127.0.0.1', port: 1 } });
  expect(result.hasUdp).toBe(false);
});

it('ends when it is aborted', async () => {
  const closing = new AbortController();
  const discovery = discoverNat({
    server: { address: '127.0.0.1', port: 1 },
    signal: closing.signal,
  });
  closing.abort();
  await expect(discovery).rejects.toMatchObject({ code: 'aborted' });
});

it('takes a server as joinPool does, also by name', async () => {
  const forms = [
    `127.0.0.1:${relay.port}`,
    `localhost:${relay.port}`,
    { host: '127.0.0.1', port: relay.port },
  ];
  for (const form of forms) {
    // A name may stand for ::1, where nobody answers: what counts is that it is looked up.
    expect(await discoverNat({ server: form })).toHaveProperty('hasUdp');
  }
});

it.each([['300.1.1.1:1'], [{ host: 'a b', port: 1 }]])('%j is no server', async (server) => {
  await expect(discoverNat({ server })).rejects.toMatchObject({
    name: 'NatPunchError',
    code: 'invalid-argument',
  });
});
