// Two hosts behind one NAT box: they talk on their own network, by way of the box's public address where they can't, or by relay.
import { setTimeout as sleep } from 'node:timers/promises';
import { NatLab, type NetworkOptions } from '../../nat-lab/lab.ts';
import { trafficSince } from '../../nat-lab/traffic.ts';
import type { VerifyContext, VerifyLine, VerifyResult } from '../line.ts';
import { ChatClient, ChatServer, converse, delivered } from './chat.ts';
import { SETTLED_AFTER_MS } from './pair.ts';
import { complaint } from './tasks.ts';

const LINES = 40;
const LINE_BYTES = 400;
const TIMEOUT_MS = 20_000;

type LocalWay = 'lan' | 'hairpin' | 'relay';

interface Case extends NetworkOptions {
  readonly must: LocalWay;
}

const CASES: readonly Case[] = [
  { nat: 'port-restricted', must: 'lan' },
  { nat: 'symmetric', must: 'lan' },
  { nat: 'full-cone', hairpin: true, isolated: true, must: 'hairpin' },
  { nat: 'port-restricted', hairpin: true, isolated: true, must: 'hairpin' },
  { nat: 'port-restricted', isolated: true, must: 'relay' },
  { nat: 'symmetric', isolated: true, must: 'relay' },
  // UDP stays in the house, and so does the talk.
  { nat: 'udp-blocked', must: 'lan' },
];

async function* sameNat(context: VerifyContext): AsyncGenerator<VerifyResult> {
  for (const one of context.quick ? CASES.slice(2, 5) : CASES) {
    const { must, ...network } = one;
    const command = `two hosts behind one ${network.nat}${network.isolated ? ', isolated' : ''}${network.hairpin ? ', with hairpin' : ''}`;
    const lab = await NatLab.create({ networks: [{ ...network, hosts: 2 }] });
    try {
      const way = await localWay(context, lab);
      yield { command, figure: `they talk by ${way}`, pass: way === must };
    } catch (error) {
      yield { command, figure: complaint(error), pass: false };
    } finally {
      await lab.close();
    }
  }
}

async function localWay(context: VerifyContext, lab: NatLab): Promise<LocalWay | 'none of them'> {
  await ChatServer.start(context.root, lab.server, ['--bind', '0.0.0.0']);
  const [a, b] = lab.hosts.map(
    (host) => new ChatClient({ root: context.root, host, server: lab.server.address, pool: '100' }),
  ) as [ChatClient, ChatClient];
  a.say('hello from the first');
  b.say('hello from the second');
  await delivered(a, b, TIMEOUT_MS);
  await sleep(SETTLED_AFTER_MS);
  const network = lab.networks[0]!;
  const before = { router: await lab.traffic(), box: await network.localTraffic() };
  const textBytes = await converse(a, b, LINES, LINE_BYTES, TIMEOUT_MS);
  const { lanBytes, hairpinBytes } = await network.localTraffic();
  const { viaServer } = trafficSince(before.router, await lab.traffic());
  await a.quit();
  await b.quit();
  if (viaServer.bytes >= textBytes) return 'relay';
  if (hairpinBytes - before.box.hairpinBytes >= textBytes) return 'hairpin';
  return lanBytes - before.box.lanBytes >= textBytes ? 'lan' : 'none of them';
}

export const sameNatLine: VerifyLine = {
  name: 'same-nat',
  title: 'two hosts behind one NAT, with and without hairpin',
  needs: ['ip', 'nft', 'conntrack', 'nsenter'],
  run: sameNat,
};
