// What NAT is it? `turnutils_natdiscovery` and `p2p-client doctor` find the right answer behind every kind.
import { join } from 'node:path';
import { type LabNetwork, NatLab } from '../../nat-lab/lab.ts';
import { type Dependence, NAT_BEHAVIOUR, type NatKind } from '../../nat-lab/nat-kind.ts';
import type { VerifyContext, VerifyLine, VerifyResult } from '../line.ts';
import { ChatServer, SERVER_PORT } from './chat.ts';
import { attempt } from './tasks.ts';

const KINDS = ['none', ...Object.keys(NAT_BEHAVIOUR)] as readonly Exclude<NatKind, 'udp-blocked'>[];
const TIMEOUT_MS = 30_000;

/** What turnutils calls them. */
const TURNUTILS: Readonly<Record<Dependence, string>> = {
  endpoint: 'Endpoint Independent',
  address: 'Address Dependent',
  'address-and-port': 'Address and Port Dependent',
};
/** What RFC 4787 calls them, and `doctor --json`. */
const RFC: Readonly<Record<Dependence, string>> = {
  endpoint: 'endpoint-independent',
  address: 'address-dependent',
  'address-and-port': 'address-and-port-dependent',
};

async function* discovery(context: VerifyContext): AsyncGenerator<VerifyResult> {
  const lab = await NatLab.create({
    networks: [...KINDS, 'udp-blocked' as const].map((nat) => ({ nat })),
  });
  try {
    const alternate = ['--alt-ip', lab.server.alternateAddress];
    await ChatServer.start(context.root, lab.server, ['--bind', '0.0.0.0', ...alternate]);
    yield await everyKind('turnutils_natdiscovery -m -f HOST', lab, natdiscovery);
    yield await everyKind('p2p-client doctor HOST PORT --json', lab, async (network, server) => {
      return await doctor(context, network, server);
    });
    yield await attempt('p2p-client doctor HOST PORT where no UDP passes', async () => {
      const said = await askDoctor(context, lab.networks.at(-1)!, lab.server.address, []);
      return { figure: said.trim(), pass: /UDP/.test(said) };
    });
  } finally {
    await lab.close();
  }
}

interface Answer {
  readonly mapping: string | undefined;
  readonly filtering: string | undefined;
  readonly isRight: boolean;
}

async function everyKind(
  command: string,
  lab: NatLab,
  ask: (network: LabNetwork, server: string) => Promise<Answer>,
): Promise<VerifyResult> {
  return await attempt(`${command} behind ${KINDS.length} kinds`, async () => {
    const figures: string[] = [];
    let pass = true;
    for (const network of lab.networks.slice(0, KINDS.length)) {
      const { mapping, filtering, isRight } = await ask(network, lab.server.address);
      figures.push(`${isRight ? '' : 'WRONG '}${network.options.nat}: ${mapping}/${filtering}`);
      if (!isRight) pass = false;
    }
    return { figure: figures.join(', '), pass };
  });
}

/** How a host without a NAT looks to whoever does not compare addresses. */
const OPEN = { mapping: 'endpoint', filtering: 'endpoint' } as const;

function behaviourOf({ options: { nat } }: LabNetwork) {
  return nat === 'none' || nat === 'udp-blocked' ? OPEN : NAT_BEHAVIOUR[nat];
}

async function natdiscovery(network: LabNetwork, server: string): Promise<Answer> {
  const child = network.host.start('turnutils_natdiscovery', 'timeout', [
    ...['20', 'turnutils_natdiscovery', '-m', '-f', '-p', `${SERVER_PORT}`, server],
  ]);
  await child.waitForExit(TIMEOUT_MS);
  const mapping = /NAT with (.*) Mapping!/.exec(child.output)?.[1];
  const filtering = /NAT with (.*) Filtering!/.exec(child.output)?.[1];
  const must = behaviourOf(network);
  return {
    mapping,
    filtering,
    isRight: mapping === TURNUTILS[must.mapping] && filtering === TURNUTILS[must.filtering],
  };
}

async function doctor(
  context: VerifyContext,
  network: LabNetwork,
  server: string,
): Promise<Answer> {
  const said = await askDoctor(context, network, server, ['--json']);
  const mapping = /"mapping": ?"([^"]+)"/.exec(said)?.[1];
  const filtering = /"filtering": ?"([^"]+)"/.exec(said)?.[1];
  const must = behaviourOf(network);
  const mustMap = network.options.nat === 'none' ? 'none' : RFC[must.mapping];
  return { mapping, filtering, isRight: mapping === mustMap && filtering === RFC[must.filtering] };
}

async function askDoctor(
  context: VerifyContext,
  network: LabNetwork,
  server: string,
  args: readonly string[],
): Promise<string> {
  const child = network.host.start('doctor', process.execPath, [
    join(context.root, 'apps/p2p-client/dist/cli.js'),
    ...['doctor', server, `${SERVER_PORT}`, ...args],
  ]);
  await child.waitForExit(TIMEOUT_MS);
  return child.output;
}

export const discoveryLine: VerifyLine = {
  name: 'discovery',
  title: 'the kind of NAT found out from behind it',
  needs: ['ip', 'nft', 'conntrack', 'nsenter', 'turnutils_natdiscovery'],
  run: discovery,
};
