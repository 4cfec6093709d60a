import { type Endpoint, encodeCompact } from '@bt/endpoint';
import {
  Alarm,
  createRandom,
  type NatOptions,
  Network,
  randomBytes,
  VirtualClock,
} from '@bt/simulator';
import { describe, expect, it } from 'vitest';
import {
  DISCOVERY_SOCKETS,
  explainNat,
  type NatClass,
  NatDiscovery,
} from '../../src/stun/nat-class.ts';
import { STUN_ATTRIBUTE } from '../../src/stun/stun-attributes.ts';
import { decodeStunMessage, StunWriter } from '../../src/stun/stun-message.ts';

const SERVER = '8.0.0.1';
const ALTERNATE = '8.0.0.2';

interface Options {
  readonly hasAlternate?: boolean;
  readonly loss?: number;
  readonly isSilent?: boolean;
}

/** What a host behind this NAT finds out. */
function discover(nat: Omit<NatOptions, 'address'> | 'none', options: Options = {}): NatClass {
  const clock = new VirtualClock();
  const random = createRandom(5);
  const network = new Network(clock, random, { datagramLoss: options.loss ?? 0 });
  const box = nat === 'none' ? undefined : network.addNat({ ...nat, address: '5.0.0.1' });
  const address = box === undefined ? '5.0.0.1' : '10.0.0.2';
  const host = network.addHost(box === undefined ? { address } : { address, behind: box });
  // A server by RFC 5780.
  const addresses = options.hasAlternate === true ? [SERVER, ALTERNATE] : [SERVER];
  const hosts = addresses.map((own) => network.addHost({ address: own }));
  hosts.forEach((server, index) => {
    for (const port of [1, 2]) {
      server.bindDatagrams(port, (bytes, from) => {
        const request = decodeStunMessage(bytes);
        if (request === undefined || options.isSilent === true) return;
        const change = request.uint32(STUN_ATTRIBUTE.changeRequest) ?? 0;
        const sender = (change & 4) === 0 ? server : hosts[1 - index];
        const answer = new StunWriter(
          sender === undefined ? 'error' : 'success',
          1,
          request.transactionId,
        );
        if (sender === undefined) answer.errorCode(420);
        else answer.xorAddress(STUN_ATTRIBUTE.xorMappedAddress, from);
        const other = addresses[1 - index];
        if (other !== undefined)
          answer.address(STUN_ATTRIBUTE.otherAddress, { address: other, port: 3 - port });
        (sender ?? server).sendDatagram(
          (change & 2) === 0 ? port : 3 - port,
          from,
          answer.finish(),
        );
      });
    }
  });
  const localPorts = Array.from(
    { length: DISCOVERY_SOCKETS },
    (_, index) => 4000 + 13 * index * index,
  );
  const machine = new NatDiscovery(clock.now, {
    server: { address: SERVER, port: 1 },
    localAddresses: [address],
    localPorts,
    randomBytes: (length) => randomBytes(random, length),
  });
  const alarm = new Alarm(clock, () => {
    machine.handleTimeout(clock.now);
    drain();
  });
  const drain = () => {
    for (let effect = machine.poll(); effect !== undefined; effect = machine.poll()) {
      host.sendDatagram(localPorts[effect.socket]!, effect.to, effect.bytes);
    }
    alarm.set(machine.deadline());
  };
  localPorts.forEach((port, socket) => {
    host.bindDatagrams(port, (bytes) => {
      machine.handleDatagram(clock.now, socket, bytes);
      drain();
    });
  });
  drain();
  clock.runWhile(() => machine.result === undefined, 10_000);
  expect(clock.now).toBeLessThan(1_300);
  return machine.result!;
}

describe('RFC 5780 with two addresses', () => {
  it.each([
    ['none', 'none', 'endpoint-independent'],
    ['full-cone', 'endpoint-independent', 'endpoint-independent'],
    ['address-restricted', 'endpoint-independent', 'address-dependent'],
    ['port-restricted', 'endpoint-independent', 'address-and-port-dependent'],
    ['symmetric', 'address-and-port-dependent', 'address-and-port-dependent'],
    ['symmetric-sequential', 'address-and-port-dependent', 'address-and-port-dependent'],
  ] as const)('%s: mapping %s, filtering %s', (kind, mapping, filtering) => {
    const result = discover(kind === 'none' ? 'none' : { kind }, { hasAlternate: true });
    expect(result).toMatchObject({ hasUdp: true, mapping, filtering });
    expect(result.reflexive?.address).toBe('5.0.0.1');
    expect('hairpin' in result).toBe(kind !== 'none');
  });
});

describe('with one address', () => {
  it.each([
    ['none', 'none', 'unknown', 'none', 'open'],
    ['full-cone', 'unknown', 'unknown', 'independent', 'open'],
    ['address-restricted', 'unknown', 'unknown', 'independent', 'open'],
    ['port-restricted', 'unknown', 'address-and-port-dependent', 'independent', 'port'],
    ['symmetric', 'address-and-port-dependent', 'address-and-port-dependent', 'dependent', 'port'],
  ] as const)('%s: mapping %s, filtering %s', (kind, mapping, filtering, ...traits) => {
    const result = discover(kind === 'none' ? 'none' : { kind });
    expect(result).toMatchObject({ mapping, filtering });
    expect([result.traits.mapping, result.traits.filtering]).toEqual(traits);
  });
});

describe('besides', () => {
  it('the order of ports', () => {
    expect(discover({ kind: 'port-restricted' }).portOrder).toBe('preserved');
    expect(discover({ kind: 'symmetric' }).portOrder).toBe('random');
    const sequential = discover({ kind: 'symmetric-sequential' });
    expect([sequential.portOrder, sequential.traits.portStep]).toEqual(['sequential', 1]);
  });

  it('whether the NAT leads back to itself', () => {
    expect(discover({ kind: 'full-cone', hairpin: true }).hairpin).toBe(true);
    expect(discover({ kind: 'port-restricted', hairpin: true }).hairpin).toBe(true);
    expect(discover({ kind: 'port-restricted' }).hairpin).toBe(false);
  });

  it('a third of the packets may be lost', () => {
    const result = discover({ kind: 'port-restricted' }, { hasAlternate: true, loss: 0.2 });
    expect(result.mapping).toBe('endpoint-independent');
  });

  it('no UDP at all', () => {
    for (const result of [
      discover({ kind: 'full-cone', blocksUdp: true }),
      discover('none', { isSilent: true }),
    ]) {
      expect(result).toMatchObject({ hasUdp: false, mapping: 'unknown', filtering: 'unknown' });
      expect(explainNat(result)).toMatch(/relay over TCP/);
    }
  });

  it('what it means, for each kind another text', () => {
    const texts = (
      [
        'full-cone',
        'address-restricted',
        'port-restricted',
        'symmetric',
        'symmetric-sequential',
      ] as const
    ).map((kind) => explainNat(discover({ kind }, { hasAlternate: true })));
    expect(new Set([...texts, explainNat(discover('none'))]).size).toBe(6);
    expect(explainNat(discover({ kind: 'full-cone' }))).toMatch(/can't be told apart/);
  });
});

it('takes nothing that does not answer its own requests', () => {
  const machine = new NatDiscovery(0, {
    server: { address: SERVER, port: 1 },
    localAddresses: ['10.0.0.2'],
    localPorts: [1, 2, 3, 4, 5, 6],
    randomBytes: (length) => new Uint8Array(length).fill(1),
  });
  const mapped: Endpoint = { address: '9.9.9.9', port: 9 };
  const forged = new StunWriter('success', 1, new Uint8Array(12)).xorAddress(0x20, mapped).finish();
  machine.handleDatagram(0, 0, forged);
  machine.handleDatagram(0, 0, encodeCompact(mapped));
  for (const now of [100, 300, 500, 800, 1_000]) machine.handleTimeout(now);
  expect(machine.result?.hasUdp).toBe(false);
});
