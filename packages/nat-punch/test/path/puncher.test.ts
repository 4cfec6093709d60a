import { createRandom, type NatKind, randomBytes } from '@bt/simulator';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CandidatesSignal, NatTraits } from '../../src/path/candidate.ts';
import { BIRTHDAY_SOCKETS, MAX_BIRTHDAY_PROBES, MAX_GUESSES } from '../../src/path/guesses.ts';
import type { PathDescription, PathSocket } from '../../src/path/path.ts';
import { MAX_PATHS } from '../../src/path/path-table.ts';
import { PROBE_BYTES, ProbeCodec } from '../../src/path/probe.ts';
import { MAX_UNANSWERED_PROBES } from '../../src/path/probe-budget.ts';
import { Puncher } from '../../src/path/puncher.ts';
import type { PuncherEffect } from '../../src/path/puncher-options.ts';
import { type Kind, type PairOptions, type SideOptions, SimPair } from '../support/sim-pair.ts';

const KINDS: readonly Kind[] = [
  'none',
  'full-cone',
  'address-restricted',
  'port-restricted',
  'symmetric',
];
const PAIRS = KINDS.flatMap((a) => KINDS.map((b) => [a, b] as const));
const SEEDS = Array.from({ length: 40 }, (_, index) => index + 1);
const UNKNOWN: NatTraits = { mapping: 'unknown', filtering: 'unknown' };

const isAny = (path: PathDescription | undefined) => path !== undefined;
const isDirect = (path: PathDescription | undefined) => path?.kind === 'direct';

function met(a: SideOptions, b: SideOptions, options: Partial<PairOptions> = {}): SimPair {
  const pair = new SimPair(a, b, { seed: 1, ...options });
  pair.meet();
  return pair;
}

/** How long it takes to a direct path, for every seed; Infinity where there is none. */
function directTimes(a: SideOptions, b: SideOptions, options: Partial<PairOptions> = {}): number[] {
  return SEEDS.map((seed) => {
    const pair = met(a, b, { seed, ...options });
    return pair.until(isDirect, 6_000) ?? Number.POSITIVE_INFINITY;
  }).sort((x, y) => x - y);
}

describe.each([0, 30])('every pair of NATs at %i ms', (latencyMs) => {
  it.each(PAIRS)('%s with %s', (a, b) => {
    const pair = met({ kind: a }, { kind: b }, { latencyMs });
    expect(pair.until(isAny, 400)).toBeDefined();
    const tookMs = pair.until(isDirect, 4_000);
    expect(tookMs === undefined).toBe(a === 'symmetric' && b === 'symmetric');
    pair.run(2_000);
    expect(pair.a.path?.method).toBe(pair.b.path?.method);
    expect(pair.a.path?.reason).toMatch(
      tookMs === undefined ? /both NATs/ : /let it through|by trying/,
    );
  });
});

describe('what is found otherwise', () => {
  it('the local network, for two hosts behind one NAT without hairpin', () => {
    const pair = met({ kind: 'symmetric' }, { kind: 'symmetric' }, { sameNat: true });
    expect(pair.until(isDirect, 100)).toBeDefined();
    expect([pair.a.path?.method, pair.b.path?.method]).toEqual(['host', 'host']);
  });

  it.each<[NatKind, boolean]>([
    ['port-restricted', false],
    ['port-restricted', true],
    ['symmetric-sequential', false],
    ['symmetric-sequential', true],
  ])(
    'the next port of a sequential NAT, with %s (stray packets take ports: %s)',
    (other, isTrap) => {
      const times = directTimes(
        { kind: 'symmetric-sequential', strayPacketsTakePorts: isTrap },
        { kind: other, strayPacketsTakePorts: isTrap },
      );
      expect(times.at(-1)).toBeLessThan(400);
      const pair = met({ kind: 'symmetric-sequential' }, { kind: other });
      pair.until(isDirect, 1_000);
      expect([pair.a.path?.method, pair.b.path?.method]).toEqual(['predicted', 'predicted']);
      expect(pair.a.sentProbes + pair.b.sentProbes).toBeLessThan(280);
    },
  );

  it('punching without stealing a port at boxes where stray packets take it, at any delay', () => {
    const side = { kind: 'port-restricted', strayPacketsTakePorts: true } as const;
    for (const latencyMs of [0, 1, 30]) {
      expect(directTimes(side, side, { latencyMs }).at(-1)).toBeLessThan(10 + 10 * latencyMs);
    }
  });

  it.each(PAIRS)('the same for %s with %s', (a, b) => {
    const spoils = { strayPacketsTakePorts: true };
    const isHopeless = a === 'symmetric' && b === 'symmetric';
    const needsLuck = [a, b].includes('symmetric') && [a, b].includes('port-restricted');
    // Before a second round, with fresh sockets, could make up for a spoilt port.
    const limitMs = needsLuck ? 5_000 : 1_500;
    for (const extraLatencyMs of [
      [0, 0],
      [0, 40],
      [40, 0],
    ] as const) {
      for (const isReady of [true, false]) {
        const sides = [
          { kind: a, ...spoils },
          { kind: b, ...spoils },
        ] as const;
        const pair = new SimPair(...sides, { seed: 1, latencyMs: 1, extraLatencyMs });
        pair.meet(isReady);
        expect(pair.until(isDirect, limitMs) === undefined).toBe(isHopeless);
      }
    }
  });

  it('the same without knowing what the NATs are', () => {
    const side = { kind: 'port-restricted', traits: UNKNOWN } as const;
    expect(directTimes(side, side).at(-1)).toBeLessThan(200);
  });
});

describe('birthday probing', () => {
  it.each([
    ['the symmetric side second', false, {}],
    ['the symmetric side first', true, {}],
    ['stray packets take ports', false, { strayPacketsTakePorts: true }],
  ])('succeeds in 40 of 40 tries, %s', (_name, isFirst, more) => {
    const cone: SideOptions = { kind: 'port-restricted', ...more };
    const symmetric: SideOptions = { kind: 'symmetric', ...more };
    const times = isFirst ? directTimes(symmetric, cone) : directTimes(cone, symmetric);
    expect(times.at(-1)).toBeLessThan(5_000);
    expect(times[20]).toBeLessThan(700);
    expect(times[37]).toBeLessThan(2_000); // 95%
  });

  it('lets go of the sockets that it does not need', () => {
    const pair = met({ kind: 'port-restricted' }, { kind: 'symmetric' });
    pair.until((path) => path !== undefined, 1_000);
    pair.run(80);
    expect(pair.b.guessSockets).toBe(BIRTHDAY_SOCKETS);
    pair.until(isDirect, 5_000);
    pair.run(500);
    expect(pair.b.guessSockets).toBeLessThan(4);
    pair.run(12_000);
    expect(pair.b.guessSockets).toBe(1);
    expect(pair.until(isDirect, 0)).toBeDefined();
  });

  it('that fails gives its sockets up', () => {
    const pair = met({ kind: 'port-restricted' }, { kind: 'symmetric' }, { seed: 1 });
    pair.a.drops = pair.b.drops = () => true;
    pair.run(1_000);
    expect(pair.b.guessSockets).toBe(BIRTHDAY_SOCKETS);
    pair.run(300_000);
    expect([pair.b.guessSockets, pair.a.path?.kind]).toEqual([0, 'relay']);
    expect(pair.b.openedGuesses).toBe(MAX_GUESSES * BIRTHDAY_SOCKETS);
  });

  it('keeps to 500 probes a second', () => {
    // A try that takes longer than the others.
    const seed = SEEDS.find((candidate) => {
      const pair = met({ kind: 'port-restricted' }, { kind: 'symmetric' }, { seed: candidate });
      return pair.until(isDirect, 700) === undefined;
    })!;
    const pair = met({ kind: 'port-restricted' }, { kind: 'symmetric' }, { seed });
    pair.run(200);
    const before = pair.a.sentProbes;
    pair.run(400);
    expect(pair.a.sentProbes - before).toBeGreaterThan(190);
    expect(pair.a.sentProbes - before).toBeLessThan(225);
  });
});

describe('with 10% loss', () => {
  it.each<[Kind, Kind]>([
    ['port-restricted', 'port-restricted'],
    ['port-restricted', 'symmetric'],
    ['symmetric', 'symmetric'],
    ['none', 'symmetric'],
  ])('%s with %s has a path within 400 ms, and keeps it', (a, b) => {
    for (const seed of SEEDS) {
      const pair = met({ kind: a }, { kind: b }, { seed, loss: 0.1 });
      expect(pair.until(isAny, 400)).toBeDefined();
    }
    const pair = met({ kind: a }, { kind: b }, { seed: 7, loss: 0.1 });
    pair.run(8_000);
    pair.a.paths.length = 0;
    pair.run(120_000);
    expect(pair.a.paths).toEqual([]);
  });
});

describe('where UDP is blocked', () => {
  it.each(KINDS)('%s is reached through the relay over TCP', (kind) => {
    const pair = met({ kind: 'full-cone', blocksUdp: true }, { kind });
    expect(pair.until(isAny, 300)).toBeDefined();
    expect([pair.a.path?.method, pair.b.path?.method]).toEqual(['relay-tcp', 'relay-tcp']);
    expect(pair.a.path?.reason).toBe('no UDP gets out here');
    expect(pair.b.path?.reason).toBe('no UDP gets out at the other side');
  });

  it('on both sides, too', () => {
    const blocked = { kind: 'full-cone', blocksUdp: true } as const;
    expect(met(blocked, blocked).until(isAny, 300)).toBeDefined();
  });
});

describe('the talk', () => {
  it.each<[Kind, Kind]>([
    ['port-restricted', 'symmetric'],
    ['symmetric-sequential', 'symmetric-sequential'],
    ['port-restricted', 'port-restricted'],
  ])('%s with %s moves from the relay to the direct path without a lost datagram', (a, b) => {
    const pair = met({ kind: a }, { kind: b }, { latencyMs: 20 });
    pair.until(isAny, 1_000);
    expect(pair.a.path?.kind).toBe('relay');
    for (let i = 0; i < 2_000; i++) {
      pair.a.send();
      pair.b.send();
      pair.run(2);
    }
    pair.run(200);
    expect(pair.a.path?.kind).toBe('direct');
    const all = Array.from({ length: 2_000 }, (_, index) => index);
    expect([...pair.a.received].sort((x, y) => x - y)).toEqual(all);
    expect([...pair.b.received].sort((x, y) => x - y)).toEqual(all);
  });

  it('settles: no path is changed any more', () => {
    for (const [a, b] of PAIRS) {
      const pair = met({ kind: a }, { kind: b });
      pair.run(10_000);
      const changes = pair.a.paths.length + pair.b.paths.length;
      pair.run(60_000);
      expect(pair.a.paths.length + pair.b.paths.length).toBe(changes);
    }
  });

  it('takes nothing from strangers', () => {
    const pair = met({ kind: 'none' }, { kind: 'none' });
    pair.until(isDirect, 1_000);
    const stranger = pair.network.addHost({ address: '9.0.0.1' });
    for (const socketPort of [40_000]) {
      stranger.sendDatagram(
        1,
        { address: '5.0.0.1', port: socketPort },
        Uint8Array.of(20, 1, 2, 3),
      );
      stranger.sendDatagram(
        1,
        { address: '5.0.0.1', port: socketPort },
        new Uint8Array(PROBE_BYTES).fill(0xc0),
      );
    }
    const before = pair.a.probedPorts.get('9.0.0.1');
    pair.run(1_000);
    expect([pair.a.received, before, pair.a.probedPorts.get('9.0.0.1')]).toEqual([
      [],
      undefined,
      undefined,
    ]);
  });
});

describe('healing', () => {
  /** Both send 50 times a second; returns the longest silence that each heard. */
  function silences(pair: SimPair, durationMs: number): [number, number] {
    const longest: [number, number] = [0, 0];
    const last = [pair.clock.now, pair.clock.now];
    for (let i = 0; i < durationMs / 20; i++) {
      const counts = [pair.a.received.length, pair.b.received.length];
      pair.a.send();
      pair.b.send();
      pair.run(20);
      [pair.a, pair.b].forEach((member, side) => {
        longest[side] = Math.max(longest[side]!, pair.clock.now - last[side]!);
        if (member.received.length > counts[side]!) last[side] = pair.clock.now;
      });
    }
    return longest;
  }

  const HEALED = PAIRS.filter(([a]) => a !== 'none');

  it.each(HEALED)('%s with %s: its NAT reboots', (a, b) => {
    const pair = met({ kind: a }, { kind: b });
    pair.run(6_000);
    pair.a.rebootNat();
    expect(Math.max(...silences(pair, 15_000))).toBeLessThan(2_500);
    expect(pair.a.path?.method).toBe(pair.b.path?.method);
    expect(isDirect(pair.a.path)).toBe(a !== 'symmetric' || b !== 'symmetric');
  });

  it.each(HEALED)('%s with %s: it gets another public address', (a, b) => {
    const pair = met({ kind: a }, { kind: b }, { signallingOutageMs: 4_300 });
    pair.run(6_000);
    pair.a.renumberNat('5.0.0.77');
    expect(Math.max(...silences(pair, 20_000))).toBeLessThan(6_000);
    expect(pair.a.path?.method).toBe(pair.b.path?.method);
    expect(isDirect(pair.a.path)).toBe(a !== 'symmetric' || b !== 'symmetric');
  });

  it('the controlled side, too', () => {
    for (const kind of ['port-restricted', 'symmetric'] as const) {
      const pair = met({ kind: 'port-restricted' }, { kind });
      pair.run(6_000);
      pair.b.renumberNat('6.0.0.77');
      expect(Math.max(...silences(pair, 20_000))).toBeLessThan(6_000);
      expect([isDirect(pair.a.path), isDirect(pair.b.path)]).toEqual([true, true]);
    }
  });

  it('the relay carries on when the direct path dies alone, within 3 s', () => {
    const pair = met({ kind: 'port-restricted' }, { kind: 'port-restricted' });
    pair.run(6_000);
    const direct = pair.a.path!;
    pair.b.drops = (from) => from.address === direct.remote.address || from.address === '5.0.0.1';
    pair.a.drops = (from) => from.address === '6.0.0.1';
    expect(Math.max(...silences(pair, 6_000))).toBeLessThan(3_000);
    expect([pair.a.path?.kind, pair.b.path?.kind]).toEqual(['relay', 'relay']);
    pair.a.drops = pair.b.drops = () => false;
    expect(pair.until(isDirect, 60_000)).toBeDefined();
  });

  it('mappings that live for 5 s only are kept', () => {
    const side = { kind: 'port-restricted', mappingLifetimeMs: 5_000 } as const;
    const pair = met(side, side);
    pair.run(6_000);
    pair.a.paths.length = 0;
    pair.run(60_000);
    expect([pair.a.paths, pair.a.path?.kind]).toEqual([[], 'direct']);
  });
});

/** One side alone, and a peer that the test plays. */
function alone(own: NatTraits, peerSeen: readonly string[], isControlling = true) {
  const pairKey = new Uint8Array(32).fill(7);
  const random = createRandom(7);
  let now = 0;
  const puncher = new Puncher(now, {
    pairKey,
    isControlling,
    random: () => 0.5,
    randomBytes: (length) => randomBytes(random, length),
    peerSeen,
    serverAddresses: ['8.0.0.1'],
  });
  const socket: PathSocket = {
    id: 1,
    via: 'socket',
    family: 4,
    local: { address: '10.0.0.2', port: 9 },
  };
  const effects: PuncherEffect[] = [];
  const drain = () => {
    for (let effect = puncher.poll(); effect !== undefined; effect = puncher.poll()) {
      effects.push(effect);
      if (effect.type === 'gather') puncher.setLocal(now, local);
      if (effect.type !== 'open') continue;
      const sockets = Array.from({ length: effect.count }, (_, index) => ({
        ...socket,
        id: 100 + index,
      }));
      puncher.addGuessSockets(now, effect.way, sockets, 5000);
    }
  };
  const local = {
    sockets: [socket],
    candidates: [{ kind: 'reflexive', address: '5.0.0.1', port: 9 }],
    nat: own,
  } as const;
  const run = (untilMs: number) => {
    drain();
    while (puncher.deadline() <= untilMs) {
      now = Math.max(now, puncher.deadline());
      puncher.handleTimeout(now);
      drain();
    }
    now = untilMs;
  };
  puncher.setLocal(now, local);
  const peer = new ProbeCodec(pairKey, !isControlling);
  const sends = () => effects.flatMap((effect) => (effect.type === 'send' ? [effect] : []));
  return { puncher, run, effects, sends, peer, drain, now: () => now };
}

it('a path on the local network is one also where its first probe comes before the candidates', () => {
  const side = alone(INDEPENDENT, ['6.0.0.1']);
  const from = { address: '10.0.0.3', port: 7 };
  side.puncher.handleDatagram(0, 1, from, side.peer.probe('socket', 0, 1n));
  const candidates = [{ kind: 'host', ...from }] as const;
  side.puncher.handleSignal(0, { kind: 'candidates', round: 0, nat: INDEPENDENT, candidates });
  side.run(20);
  const probes = side.sends().flatMap(({ bytes }) => side.peer.decode(bytes) ?? []);
  for (const probe of probes.filter(({ type }) => type === 'probe')) {
    side.puncher.handleDatagram(20, 1, from, side.peer.answer('socket', probe));
  }
  side.run(30);
  const paths = side.effects.flatMap((effect) => (effect.type === 'path' ? [effect.path] : []));
  expect(paths.map((path) => path?.method)).toEqual(['host']);
});

const VICTIM = '9.9.9.9';
const INDEPENDENT: NatTraits = { mapping: 'independent', filtering: 'port' };

function announced(round: number, nat: NatTraits, addresses: readonly string[]): CandidatesSignal {
  const candidates = addresses.map((address, index) => ({
    kind: 'reflexive' as const,
    address,
    port: 1000 + round * 20 + index,
  }));
  return { kind: 'candidates', round, nat, candidates };
}

describe('a peer that names a third party', () => {
  it('has it sent 10 probes, whatever rounds and ports it names', () => {
    const side = alone(INDEPENDENT, ['6.0.0.1']);
    for (let round = 0; round < 200; round++) {
      side.puncher.handleSignal(side.now(), announced(round, INDEPENDENT, Array(16).fill(VICTIM)));
      side.puncher.handleSignal(side.now(), { kind: 'punch', round, way: 'opened' });
      side.run(side.now() + 500);
    }
    const toVictim = side.sends().filter(({ to }) => to.address === VICTIM);
    expect(toVictim).toHaveLength(MAX_UNANSWERED_PROBES);
  });

  it('has no port guessed there', () => {
    const sequential: NatTraits = { mapping: 'dependent', filtering: 'port', portStep: 1 };
    for (const own of [
      INDEPENDENT,
      sequential,
      { ...INDEPENDENT, mapping: 'dependent' } as const,
    ]) {
      const side = alone(own, ['6.0.0.1']);
      side.puncher.handleSignal(0, announced(0, sequential, [VICTIM]));
      side.puncher.handleSignal(0, { kind: 'punch', round: 0, way: 'birthday' });
      side.puncher.handleSignal(0, { kind: 'punch', round: 0, way: 'prediction', port: 7000 });
      side.run(30_000);
      const ports = new Set(side.sends().map(({ to }) => (to.address === VICTIM ? to.port : 0)));
      ports.delete(0);
      expect([...ports]).toEqual([1000]);
      expect(side.sends().length).toBeLessThanOrEqual(MAX_UNANSWERED_PROBES);
    }
  });

  it('is answered 10 times at most where nothing answers, by forged source addresses', () => {
    const side = alone(INDEPENDENT, ['6.0.0.1']);
    side.puncher.handleSignal(0, announced(0, INDEPENDENT, ['6.0.0.1']));
    side.run(5_000);
    const before = side.sends().length;
    for (let i = 0; i < 100; i++) {
      const from = { address: VICTIM, port: 1 + i };
      side.puncher.handleDatagram(side.now(), 1, from, side.peer.probe('socket', 0, 0n));
      side.run(side.now() + 10);
    }
    side.run(side.now() + 5_000);
    const sent = side
      .sends()
      .slice(before)
      .filter(({ to }) => to.address === VICTIM);
    expect(sent.length).toBeLessThanOrEqual(2 * MAX_UNANSWERED_PROBES);
  });

  it.each([true, false])(
    'can not answer in its name, which it sees nothing of (we control: %s)',
    (isControlling) => {
      const third = { address: VICTIM, port: 53 };
      const own = { address: '6.0.0.1', port: 777 };
      const side = alone(INDEPENDENT, [own.address], isControlling);
      side.puncher.handleSignal(0, {
        ...announced(0, INDEPENDENT, []),
        candidates: [
          { kind: 'host', ...third },
          { kind: 'reflexive', ...own },
        ],
      });
      side.run(20);
      let seen = 0;
      for (let i = 0; i < 300; i++) {
        // A lively path of its own, and what it learns by that.
        const came = side
          .sends()
          .slice(seen)
          .filter(({ to }) => to.address === own.address);
        seen = side.sends().length;
        const probes = came.flatMap(({ bytes }) => side.peer.decode(bytes) ?? []);
        for (const probe of probes.filter(({ type }) => type === 'probe')) {
          const forged = [-1, 0, 1, 2].map((ahead) => {
            return side.peer.answer('socket', {
              ...probe,
              sequence: Math.max(0, probe.sequence + ahead),
            });
          });
          side.puncher.handleDatagram(side.now(), 1, own, side.peer.answer('socket', probe));
          for (const bytes of forged) side.puncher.handleDatagram(side.now(), 1, third, bytes);
        }
        // It nominates, too, in the name of the third one.
        side.puncher.handleDatagram(side.now(), 1, third, side.peer.probe('socket', 1 + i, 0n));
        expect(side.puncher.path?.remote.address).not.toBe(VICTIM);
        side.run(side.now() + 100);
      }
      expect(side.puncher.path?.remote).toEqual(own);
      const toVictim = side.sends().filter(({ to }) => to.address === VICTIM);
      expect(toVictim.length).toBeLessThanOrEqual(2 * MAX_UNANSWERED_PROBES);
    },
  );

  it('has random ports tried at its own address, and no more than the limit', () => {
    const side = alone(INDEPENDENT, ['6.0.0.1']);
    side.puncher.handleSignal(
      0,
      announced(0, { ...INDEPENDENT, mapping: 'dependent' }, ['6.0.0.1']),
    );
    for (let i = 0; i < 8; i++)
      side.puncher.handleSignal(0, { kind: 'punch', round: 0, way: 'birthday' });
    side.run(7_000);
    expect(side.sends().length).toBeLessThan(MAX_BIRTHDAY_PROBES + 60);
    expect(side.sends().length).toBeGreaterThan(MAX_BIRTHDAY_PROBES);
    expect(new Set(side.sends().map(({ to }) => to.address))).toEqual(new Set(['6.0.0.1']));
  });
});

it('holds no more paths than the limit, whatever the peer sends from', () => {
  const side = alone(INDEPENDENT, ['6.0.0.1']);
  side.puncher.handleSignal(0, announced(0, INDEPENDENT, ['6.0.0.1']));
  side.run(100);
  const answered = new Set<string>();
  for (let port = 1; port < 2_000; port++) {
    side.puncher.handleDatagram(
      100,
      1,
      { address: '6.0.0.1', port },
      side.peer.probe('socket', 0, 0n),
    );
  }
  side.drain();
  side.effects.length = 0;
  side.run(140);
  for (const { to } of side.sends()) answered.add(`${to.address} ${to.port}`);
  expect(answered.size).toBeLessThanOrEqual(MAX_PATHS);
});

it('stands any signal and any datagram', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.jsonValue(), fc.uint8Array({ maxLength: 60 }))), (inputs) => {
      const side = alone(INDEPENDENT, ['6.0.0.1']);
      for (const [signal, bytes] of inputs) {
        side.puncher.handleSignal(0, signal);
        side.puncher.handleDatagram(0, 1, { address: '6.0.0.1', port: 5 }, bytes);
      }
      side.run(1_000);
      expect(side.puncher.path).toBeUndefined();
    }),
  );
});

it('tells its candidates again, of the latest kind, as long as signalling drops them', () => {
  const side = alone(INDEPENDENT, ['6.0.0.1']);
  const told = () =>
    side.effects.flatMap((effect) =>
      effect.type === 'signal' && effect.data.kind === 'candidates' ? [effect.data] : [],
    );
  side.run(10);
  expect(told()).toHaveLength(1);
  for (let count = 1; count < 4; count++) {
    side.puncher.handleSignalDropped(side.now(), told().at(-1)!);
    side.run(side.now() + 999);
    expect(told()).toHaveLength(count);
    side.run(side.now() + 1);
    expect(told()).toHaveLength(count + 1);
  }
  side.run(side.now() + 5_000);
  expect(told()).toHaveLength(4);
});

it('is silent once closed', () => {
  const pair = met({ kind: 'none' }, { kind: 'none' });
  pair.until(isDirect, 1_000);
  pair.a.puncher?.close();
  const before = pair.a.sentProbes;
  pair.run(5_000);
  expect([pair.a.sentProbes, pair.a.puncher?.deadline()]).toEqual([
    before,
    Number.POSITIVE_INFINITY,
  ]);
  expect(pair.b.path).toBeUndefined();
});
