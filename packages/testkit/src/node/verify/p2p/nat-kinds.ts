// The lab proves itself before it judges others: each NAT kind shows the mapping and filtering it is named for, and a naive puncher gets
// through exactly the pairs that theory says.
import { NatLab, type NetworkOptions } from '../../nat-lab/lab.ts';
import { type PunchingWay, punch } from '../../nat-lab/naive-puncher.ts';
import {
  type Observers,
  observeBehaviour,
  seenBy,
  startObservers,
} from '../../nat-lab/nat-behaviour.ts';
import { NAT_BEHAVIOUR, type NatKind } from '../../nat-lab/nat-kind.ts';
import { UdpAgent } from '../../nat-lab/udp-agent.ts';
import type { VerifyContext, VerifyLine, VerifyResult } from '../line.ts';
import { median, milliseconds, quantile } from './tasks.ts';

const BOXES = Object.keys(NAT_BEHAVIOUR) as (keyof typeof NAT_BEHAVIOUR)[];
const PUNCHED: readonly NatKind[] = ['none', ...BOXES];

async function* natKinds({ quick }: VerifyContext): AsyncGenerator<VerifyResult> {
  yield* behaviours();
  yield await blockedUdp();
  yield await shortMappings();
  yield await reboots();
  yield await hairpins();
  yield await isolatedHairpin();
  yield await rejects();
  yield await delays();
  yield await losses();
  for (const way of ['told', 'adaptive', 'prediction'] as const) yield await punchTable(way);
  yield await birthday(quick ? 5 : 40);
  yield await portTrap(0, quick ? 3 : 10);
  yield await portTrap(30, quick ? 3 : 10);
}

async function withLab<T>(
  networks: readonly NetworkOptions[],
  use: (lab: NatLab, agents: readonly UdpAgent[], observers: Observers) => Promise<T>,
  delayMs = 0,
): Promise<T> {
  const lab = await NatLab.create({ networks, delayMs });
  try {
    const observers = await startObservers(lab);
    return await use(
      lab,
      lab.hosts.map((host) => new UdpAgent(host)),
      observers,
    );
  } finally {
    await lab.close();
  }
}

async function* behaviours(): AsyncGenerator<VerifyResult> {
  for (const firewall of ['drop', 'reject', 'none'] as const) {
    for (const delayMs of [0, 30]) {
      const seen: string[] = [];
      let pass = true;
      await withLab(
        BOXES.map((nat) => ({ nat, firewall })),
        async (_lab, agents, observers) => {
          for (const [i, nat] of BOXES.entries()) {
            const is = await observeBehaviour(agents[i]!, observers);
            const must = NAT_BEHAVIOUR[nat];
            seen.push(`${nat} ${is?.mapping}/${is?.filtering}`);
            if (is?.mapping !== must.mapping || is.filtering !== must.filtering) pass = false;
            if ((nat === 'symmetric-sequential') !== (is?.portStep === 1)) pass = false;
            if ((must.mapping === 'endpoint') !== is?.keepsPort) pass = false;
          }
        },
        delayMs,
      );
      yield {
        command: `mapping/filtering of each kind, firewall ${firewall}, ${delayMs} ms`,
        figure: seen.join(', '),
        pass,
      };
    }
  }
}

async function blockedUdp(): Promise<VerifyResult> {
  return await withLab([{ nat: 'udp-blocked' }], async (lab, agents, observers) => {
    const udp = await observeBehaviour(agents[0]!, observers);
    const opened: number[] = [];
    for (const port of [443, 3478, 80]) {
      const listener = lab.server.start('listener', '/usr/bin/python3', [
        ...['-u', '-m', 'http.server', `${port}`],
        ...['--bind', lab.server.address, '--directory', '/proc/self/fdinfo'],
      ]);
      await listener.waitFor(/Serving/, 10_000);
      const connect = `import socket; socket.create_connection(("${lab.server.address}", ${port}), 1)`;
      const connected = await lab.hosts[0]!.run('/usr/bin/python3', ['-c', connect]).then(
        () => true,
        () => false,
      );
      if (connected) opened.push(port);
    }
    return {
      command: 'udp-blocked: UDP, and TCP to 443, 3478 and 80',
      figure: `UDP ${udp === undefined ? 'does not pass' : 'passes'}; TCP passes to ${opened.join(', ')}`,
      pass: udp === undefined && opened.join() === '443,3478',
    };
  });
}

async function shortMappings(): Promise<VerifyResult> {
  const kinds = ['full-cone', 'port-restricted', 'symmetric'] as const;
  const waitsMs = [3_000, 8_000];
  return await withLab(
    kinds.map((nat) => ({ nat, mappingMs: 5_000 })),
    async (_lab, agents, { first, addresses }) => {
      const alive = await Promise.all(
        kinds.flatMap((_, i) =>
          waitsMs.map(async (waitMs) => {
            const socket = await agents[i]!.open();
            const arrival = first.next(({ text }) => text === `${i} ${waitMs}`, 2_000);
            socket.send([addresses[0], first.port], `${i} ${waitMs}`);
            const mapped = (await arrival)?.from;
            if (mapped === undefined) return undefined;
            await new Promise((resolve) => setTimeout(resolve, waitMs));
            const answer = socket.next(() => true, 500);
            first.send(mapped, 'are you there?');
            return (await answer) !== undefined;
          }),
        ),
      );
      return {
        command: `mappings of 5 s after 3 s and after 8 s of silence: ${kinds.join(', ')}`,
        figure: alive.map((is) => (is === undefined ? 'lost' : is ? 'alive' : 'gone')).join(', '),
        pass: alive.every((is, i) => is === (i % 2 === 0)),
      };
    },
  );
}

async function reboots(): Promise<VerifyResult> {
  return await withLab(
    BOXES.map((nat) => ({ nat })),
    async (lab, agents, { first, addresses }) => {
      const figures: string[] = [];
      let pass = true;
      for (const [i, network] of lab.networks.entries()) {
        for (const event of ['reboot', 'renumber'] as const) {
          const socket = await agents[i]!.open();
          const say = async (text: string) => {
            const arrival = first.next((datagram) => datagram.text === text, 2_000);
            socket.send([addresses[0], first.port], text);
            return (await arrival)?.from;
          };
          const before = await say(`${i} before ${event}`);
          await network[event]();
          const stale = socket.next(() => true, 200);
          if (before !== undefined) first.send(before, 'stale');
          const forgot = (await stale) === undefined;
          const after = await say(`${i} after ${event}`);
          figures.push(`${network.options.nat} ${event}: ${before} then ${after}`);
          const moved = before?.[0] !== after?.[0];
          if (!forgot || after === undefined || moved !== (event === 'renumber')) pass = false;
        }
      }
      return {
        command: 'reboot and renumbering forget mappings',
        figure: figures.join('; '),
        pass,
      };
    },
  );
}

/** Two hosts behind one box send to one another's public endpoint. */
async function hairpins(): Promise<VerifyResult> {
  const cases = (['full-cone', 'address-restricted', 'port-restricted'] as const).flatMap((nat) =>
    [true, false].map((hairpin) => ({ nat, hairpin, hosts: 2 })),
  );
  return await withLab(cases, async (_lab, agents, observers) => {
    const figures: string[] = [];
    let pass = true;
    for (const [i, { nat, hairpin }] of cases.entries()) {
      const { works } = await punch(agents[2 * i]!, agents[2 * i + 1]!, observers, 'told');
      figures.push(`${nat} ${hairpin ? 'with' : 'without'}: ${works ? 'passes' : 'does not'}`);
      if (works !== hairpin) pass = false;
    }
    return {
      command: 'two hosts behind one box by its public address, with and without hairpin',
      figure: figures.join(', '),
      pass,
    };
  });
}

async function isolatedHairpin(): Promise<VerifyResult> {
  const networks = [
    { nat: 'port-restricted', hosts: 2 },
    { nat: 'port-restricted', hosts: 2, isolated: true, hairpin: true },
  ] as const;
  return await withLab(networks, async (lab, agents, observers) => {
    const figures: string[] = [];
    for (const [i, network] of lab.networks.entries()) {
      const [from, to] = [agents[2 * i]!, agents[2 * i + 1]!];
      const socket = await to.open();
      const arrival = socket.next(() => true, 500);
      const sender = await from.open();
      sender.send([to.host.address, socket.port], 'neighbour');
      const onLan = (await arrival) !== undefined;
      const through = (await punch(from, to, observers, 'told')).works;
      const { lanBytes, hairpinBytes } = await network.localTraffic();
      figures.push(
        `LAN ${onLan}, public address ${through}, counted ${lanBytes > 0}/${hairpinBytes > 0}`,
      );
    }
    return {
      command: 'two hosts of one network: open without hairpin, isolated with hairpin',
      figure: figures.join('; '),
      pass:
        figures.join() ===
        'LAN true, public address false, counted true/false,LAN false, public address true, counted false/true',
    };
  });
}

/** A connected socket is told by ICMP that a rejecting box let nothing in. */
async function rejects(): Promise<VerifyResult> {
  const networks = (['reject', 'drop'] as const).map((firewall) => ({
    nat: 'port-restricted' as const,
    firewall,
  }));
  return await withLab(networks, async (lab) => {
    const outcomes: string[] = [];
    for (const { publicAddress } of lab.networks) {
      const script = `import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(0.5)
s.connect(("${publicAddress}", 9))
s.send(b"x")
try:
    s.recv(1)
except OSError as error:
    print(type(error).__name__)`;
      outcomes.push((await lab.server.run('/usr/bin/python3', ['-c', script])).trim());
    }
    return {
      command: 'an unsolicited packet to a box that rejects, and to one that drops',
      figure: outcomes.join(', '),
      pass: outcomes.join() === 'ConnectionRefusedError,TimeoutError',
    };
  });
}

/** The time to the server and back at 30 ms one way. */
async function delays(): Promise<VerifyResult> {
  return await withLab(
    [{ nat: 'port-restricted' }, { nat: 'none' }],
    async (_lab, agents, { first, addresses }) => {
      const timesMs: number[] = [];
      for (const agent of agents) {
        const socket = await agent.open();
        for (let i = 0; i < 20; i++) {
          const begin = performance.now();
          const mapped = await seenBy(first, socket, [addresses[0], first.port]);
          if (mapped === undefined) continue;
          const back = socket.next(() => true, 2_000);
          first.send(mapped, 'back');
          if ((await back) !== undefined) timesMs.push(performance.now() - begin);
        }
      }
      return {
        command: 'round trips at 30 ms one way',
        figure: `${timesMs.length} of 40: median ${milliseconds(median(timesMs))}, p90 ${milliseconds(quantile(timesMs, 0.9))}`,
        pass: timesMs.length === 40 && median(timesMs) >= 60 && median(timesMs) < 75,
      };
    },
    30,
  );
}

async function losses(): Promise<VerifyResult> {
  const count = 4_000;
  return await withLab([{ nat: 'none' }], async (lab, agents, { first, addresses }) => {
    await lab.setLoss(10);
    const socket = await agents[0]!.open();
    let arrived = 0;
    first.onDatagram = () => {
      arrived += 1;
    };
    for (let i = 0; i < count; i++) {
      socket.send([addresses[0], first.port], `${i}`);
      // The kernel's buffer holds a few hundred: what it drops is not the router's loss.
      if (i % 100 === 99) await seenBy(first, socket, [addresses[0], first.port]);
    }
    await lab.setLoss(0);
    await seenBy(first, socket, [addresses[0], first.port]);
    const lost = (1 - arrived / count) * 100;
    return {
      command: `${count} datagrams at a loss of 10%`,
      figure: `${lost.toFixed(1)}% lost`,
      pass: Math.abs(lost - 10) < 2,
    };
  });
}

/** Whether this way of punching works between two kinds, by theory. */
function mustWork(way: PunchingWay, a: NatKind, b: NatKind): boolean {
  const isSymmetric = (nat: NatKind) => nat === 'symmetric' || nat === 'symmetric-sequential';
  if (!isSymmetric(a) && !isSymmetric(b)) return true;
  if (way === 'told') return false;
  const [other, symmetric] = isSymmetric(a) ? [b, a] : [a, b];
  if (!isSymmetric(other) && other !== 'port-restricted') return true;
  if (way === 'adaptive') return false;
  return (
    symmetric === 'symmetric-sequential' &&
    (other === 'symmetric-sequential' || other === 'port-restricted')
  );
}

async function punchTable(way: PunchingWay): Promise<VerifyResult> {
  const networks = [...PUNCHED, ...PUNCHED].map((nat) => ({ nat }));
  return await withLab(networks, async (_lab, agents, observers) => {
    const wrong: string[] = [];
    const works: string[] = [];
    const timesMs: number[] = [];
    for (const [i, a] of PUNCHED.entries()) {
      for (const [j, b] of PUNCHED.entries()) {
        const result = await punch(agents[i]!, agents[PUNCHED.length + j]!, observers, way);
        if (result.works) {
          works.push(`${a} ${b}`);
          timesMs.push(result.ms);
        }
        if (result.works !== mustWork(way, a, b)) wrong.push(`${a} with ${b}: ${result.works}`);
      }
    }
    return {
      command: `naive punching, ${way}, all ${PUNCHED.length ** 2} pairs`,
      figure: `${works.length} work, median ${milliseconds(median(timesMs))}; against theory: ${wrong.join('; ') || 'none'}`,
      pass: wrong.length === 0,
    };
  });
}

async function birthday(tries: number): Promise<VerifyResult> {
  const networks = [{ nat: 'port-restricted' }, { nat: 'symmetric' }] as const;
  return await withLab(networks, async (lab, agents, observers) => {
    const timesMs: number[] = [];
    for (let i = 0; i < tries; i++) {
      for (const network of lab.networks) await network.reboot();
      const { works, ms } = await punch(agents[0]!, agents[1]!, observers, 'birthday');
      if (works) timesMs.push(ms);
    }
    return {
      command: 'naive punching, 256 sockets, port-restricted with symmetric',
      figure: `${timesMs.length} of ${tries}, median ${milliseconds(median(timesMs))}`,
      pass: timesMs.length >= tries * 0.95,
    };
  });
}

/** Without an input firewall a packet that arrives before its addressee has sent takes away the port, unless the way is long enough for both to have sent. */
async function portTrap(delayMs: number, tries: number): Promise<VerifyResult> {
  const networks = [
    { nat: 'port-restricted', firewall: 'none' },
    { nat: 'port-restricted', firewall: 'none' },
  ] as const;
  return await withLab(
    networks,
    async (_lab, agents, observers) => {
      let worked = 0;
      for (let i = 0; i < tries; i++) {
        if ((await punch(agents[0]!, agents[1]!, observers, 'told')).works) worked += 1;
      }
      return {
        command: `port-restricted with itself, no input firewall, ${delayMs} ms`,
        figure: `${worked} of ${tries}`,
        pass: delayMs === 0 ? worked < tries : worked === tries,
      };
    },
    delayMs,
  );
}

export const natKindsLine: VerifyLine = {
  name: 'nat-kinds',
  title: 'the NAT lab is what it says',
  needs: ['ip', 'nft', 'conntrack', 'nsenter'],
  run: natKinds,
};
