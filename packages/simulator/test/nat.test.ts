import { describe, expect, it } from 'vitest';
import {
  createRandom,
  type Nat,
  type NatKind,
  type NatOptions,
  Network,
  type NetworkOptions,
  VirtualClock,
} from '../src/index.ts';

const NAT = '5.0.0.1';
const INSIDE = { address: '10.0.0.2', port: 4000 };

/** A host behind a NAT, and two servers that answer nothing by themselves. */
function behind(options: Partial<NatOptions> & { kind: NatKind }, network: NetworkOptions = {}) {
  const clock = new VirtualClock();
  const net = new Network(clock, createRandom(3), network);
  const nat = net.addNat({ address: NAT, ...options });
  const host = net.addHost({ address: INSIDE.address, behind: nat });
  const servers = ['8.0.0.1', '8.0.0.2'].map((address) => net.addHost({ address }));
  const heard: string[] = [];
  const seenPorts: number[] = [];
  const inbox: string[] = [];
  for (const server of servers) {
    for (const port of [1, 2]) {
      server.bindDatagrams(port, (_bytes, from) => {
        heard.push(`${from.address}>${server.address}:${port}`);
        seenPorts.push(from.port);
      });
    }
  }
  const receive = (port: number) => {
    host.bindDatagrams(port, (_bytes, from) => inbox.push(`${from.address}:${from.port}`));
  };
  receive(INSIDE.port);
  const settle = () => clock.runUntil(clock.now + 100);
  /** Sends from inside and tells from which port the server saw it. */
  const send = (server: number, port: number, ttl?: number) => {
    const before = seenPorts.length;
    const to = { address: servers[server]!.address, port };
    host.sendDatagram(INSIDE.port, to, Uint8Array.of(1), ttl);
    settle();
    return seenPorts.slice(before)[0];
  };
  /** Sends to the NAT's public address and tells whether the host got it. */
  const reaches = (server: number, fromPort: number, port: number) => {
    const before = inbox.length;
    servers[server]!.sendDatagram(fromPort, { address: nat.address, port }, Uint8Array.of(2));
    settle();
    return inbox.length > before;
  };
  return { clock, net, nat, host, servers, heard, inbox, send, reaches, settle, receive };
}

describe('mapping', () => {
  it.each<[NatKind, string]>([
    ['full-cone', 'one port, that of the host'],
    ['address-restricted', 'one port, that of the host'],
    ['port-restricted', 'one port, that of the host'],
    ['symmetric', 'a port for each remote endpoint'],
    ['symmetric-sequential', 'ports that count upwards'],
  ])('%s: %s', (kind, expected) => {
    const { send } = behind({ kind });
    const ports = [send(0, 1), send(0, 2), send(1, 1), send(1, 2)] as number[];
    expect([send(0, 1), send(1, 2)]).toEqual([ports[0], ports[3]]);
    if (expected.startsWith('one')) expect(ports).toEqual([4000, 4000, 4000, 4000]);
    else expect(new Set(ports).size).toBe(4);
    const steps = ports.slice(1).map((port, index) => port - ports[index]!);
    expect(steps.every((step) => step === 1)).toBe(kind === 'symmetric-sequential');
  });

  it('gives a second host with the same port another one', () => {
    const net = behind({ kind: 'port-restricted' });
    net.send(0, 1);
    const second = net.net.addHost({ address: '10.0.0.3', behind: net.nat });
    let port = 0;
    net.servers[0]!.bindDatagrams(9, (_bytes, from) => {
      port = from.port;
    });
    second.sendDatagram(4000, { address: '8.0.0.1', port: 9 }, Uint8Array.of(1));
    net.settle();
    expect(port).toBe(4001);
  });

  it('ends when nothing was sent for its lifetime', () => {
    const net = behind({ kind: 'full-cone', mappingLifetimeMs: 5_000 });
    net.send(0, 1);
    net.clock.runUntil(4_900);
    expect(net.reaches(1, 1, 4000)).toBe(true);
    net.clock.runUntil(6_000);
    expect(net.reaches(1, 1, 4000)).toBe(false);
    net.send(0, 1);
    expect(net.reaches(1, 1, 4000)).toBe(true);
  });
});

describe('filtering', () => {
  it.each<[NatKind, boolean[]]>([
    // From where it was sent to; from another port there; from another address.
    ['full-cone', [true, true, true]],
    ['address-restricted', [true, true, false]],
    ['port-restricted', [true, false, false]],
    ['symmetric', [true, false, false]],
    ['symmetric-sequential', [true, false, false]],
  ])('%s', (kind, expected) => {
    const net = behind({ kind });
    const port = net.send(0, 1)!;
    const seen = [net.reaches(0, 1, port), net.reaches(0, 2, port), net.reaches(1, 1, port)];
    expect(seen).toEqual(expected);
  });

  it('lets nothing in that was not mapped', () => {
    const net = behind({ kind: 'full-cone' });
    expect(net.reaches(0, 1, 4000)).toBe(false);
  });
});

describe('what goes wrong', () => {
  it('a reboot forgets mappings and breaks streams, a renumbering moves them', () => {
    const net = behind({ kind: 'symmetric' });
    const port = net.send(0, 1)!;
    const closes: unknown[] = [];
    net.servers[0]!.listen(80, (stream) => {
      expect(stream.remoteEndpoint.address).toBe(NAT);
      stream.listener = { onData: () => {}, onClose: (error) => closes.push(error) };
    });
    net.host.connect({ address: '8.0.0.1', port: 80 }).listener = {
      onData: () => {},
      onClose: (error) => closes.push(error),
    };
    net.settle();
    net.nat.reboot();
    net.settle();
    expect(net.reaches(0, 1, port)).toBe(false);
    expect(closes).toEqual(['reset', 'reset']);

    net.nat.renumber('5.0.0.9');
    const moved = net.send(0, 1)!;
    expect(net.heard.at(-1)).toBe('5.0.0.9>8.0.0.1:1');
    expect(net.reaches(0, 1, moved)).toBe(true);
    expect(net.net.nat(NAT)).toBeUndefined();
  });

  it('blocked UDP passes neither way, streams do', () => {
    const net = behind({ kind: 'full-cone', blocksUdp: true });
    let connects = 0;
    net.servers[0]!.listen(80, () => {});
    net.host.connect({ address: '8.0.0.1', port: 80 }).listener = {
      onConnect: () => connects++,
      onData: () => {},
      onClose: () => {},
    };
    expect([net.send(0, 1), net.reaches(0, 1, 4000), connects]).toEqual([undefined, false, 1]);
  });

  it.each([true, false])('a packet that comes too early takes a port: %s', (isTrap) => {
    const net = behind({ kind: 'port-restricted', strayPacketsTakePorts: isTrap });
    expect(net.send(0, 1)).toBe(4000);
    expect(net.reaches(1, 1, 4000)).toBe(false); // too early: nothing was sent there yet
    const port = net.send(1, 1)!;
    expect(port === 4000).toBe(!isTrap);
    expect(net.reaches(1, 1, 4000)).toBe(!isTrap);
    expect(net.send(0, 1)).toBe(4000);
  });
});

describe('neighbours', () => {
  const neighbours = (hairpin: boolean) => {
    const net = behind({ kind: 'port-restricted', hairpin }, { latencyMs: 20 });
    const other = net.net.addHost({ address: '10.0.0.3', behind: net.nat });
    const seen: string[] = [];
    other.bindDatagrams(7, (_bytes, from) => seen.push(`${from.address}:${from.port}`));
    return { ...net, other, seen };
  };

  it('see one another untranslated, and without the latency of the network', () => {
    const net = neighbours(false);
    net.host.sendDatagram(4000, { address: '10.0.0.3', port: 7 }, Uint8Array.of(1));
    net.clock.step();
    expect([net.seen, net.clock.now]).toEqual([['10.0.0.2:4000'], 0]);
  });

  it.each([true, false])('by the public address with hairpin %s', (hairpin) => {
    const net = neighbours(hairpin);
    net.host.sendDatagram(4000, { address: NAT, port: 7 }, Uint8Array.of(1)); // opens 4000
    net.other.sendDatagram(7, { address: NAT, port: 4000 }, Uint8Array.of(1)); // opens 7
    net.host.sendDatagram(4000, { address: NAT, port: 7 }, Uint8Array.of(1));
    net.settle();
    expect(net.seen).toEqual(hairpin ? [`${NAT}:4000`] : []);
  });
});

describe('time to live', () => {
  it('ends a packet behind its own NAT, with the mapping opened', () => {
    const near = behind({ kind: 'port-restricted' });
    expect(near.send(0, 1, 2)).toBeUndefined();
    expect(near.reaches(0, 1, 4000)).toBe(true);
    expect(near.send(0, 1, 3)).toBe(4000);
    const dead = behind({ kind: 'port-restricted' });
    dead.send(0, 1, 1);
    expect(dead.reaches(0, 1, 4000)).toBe(false);
  });
});

it('two NATs may have hosts of the same address', () => {
  const clock = new VirtualClock();
  const net = new Network(clock, createRandom(1));
  const nats: Nat[] = ['5.0.0.1', '5.0.0.2'].map((address) =>
    net.addNat({ address, kind: 'full-cone' }),
  );
  const [a, b] = nats.map((nat) => net.addHost({ address: '10.0.0.2', behind: nat }));
  const seen: string[] = [];
  b!.bindDatagrams(1, (_bytes, from) => seen.push(from.address));
  b!.sendDatagram(1, { address: '5.0.0.1', port: 1 }, Uint8Array.of(1)); // opens port 1
  a!.sendDatagram(1, { address: '5.0.0.2', port: 1 }, Uint8Array.of(1));
  clock.runUntil(100);
  expect(seen).toEqual(['5.0.0.1']);
});
