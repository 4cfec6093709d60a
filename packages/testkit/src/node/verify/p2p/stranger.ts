// A stranger who knows the pool's number but not its phrase reads nothing and is heard by nobody, and what the server gives him can't
// carry a packet to any other address.
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type LabHost, NatLab } from '../../nat-lab/lab.ts';
import { UdpAgent } from '../../nat-lab/udp-agent.ts';
import { PYTHON } from '../../programs.ts';
import type { VerifyContext, VerifyLine, VerifyResult } from '../line.ts';
import { ChatClient, ChatServer, delivered, SERVER_PORT } from './chat.ts';
import { attempt } from './tasks.ts';

const TIMEOUT_MS = 20_000;
/** How long a stranger tries; whoever knows the phrase is in touch within half a second. */
const TRIES_FOR_MS = 6_000;
const SECRET = 'the treasure lies under the third oak';
const FRIEND = ['--turn-user', 'friend:secret'];

async function* stranger(context: VerifyContext): AsyncGenerator<VerifyResult> {
  const lab = await NatLab.create({
    networks: [
      { nat: 'port-restricted' },
      { nat: 'none' },
      { nat: 'port-restricted' },
      { nat: 'none' },
    ],
  });
  try {
    await ChatServer.start(context.root, lab.server, ['--bind', '0.0.0.0', ...FRIEND]);
    for (const args of [[], ['--phrase', 'wrong horse']]) {
      yield await attempt(
        args.length === 0 ? 'a stranger without the phrase' : 'a stranger with a wrong phrase',
        async () => await readsNothing(context, lab, args),
      );
    }
    yield await attempt('a stranger at the signalling, and his relay', async () => {
      return await relaysNothing(context, lab);
    });
  } finally {
    await lab.close();
  }
}

/** The owner of the phrase waits, the stranger comes, then a friend with the phrase. */
async function readsNothing(context: VerifyContext, lab: NatLab, args: readonly string[]) {
  const pool = `stranger ${args.length}`;
  const start = (network: number, more: readonly string[]) =>
    new ChatClient({
      root: context.root,
      host: lab.networks[network]!.host,
      server: lab.server.address,
      pool,
      args: more,
    });
  const phrase = ['--phrase', 'correct horse battery staple'];
  const owner = start(0, phrase);
  owner.say(SECRET);
  await owner.event('joined', TIMEOUT_MS);
  const intruder = start(1, args);
  intruder.say('open sesame');
  await intruder.event((event) => event.event === 'joined' || event.event === 'error', TIMEOUT_MS);
  await sleep(TRIES_FOR_MS);
  const read = intruder.child.output.includes(SECRET);
  const heard = owner.messages.length > 0;
  const friend = start(2, phrase);
  friend.say('it is me');
  let meets = 'with the stranger there';
  try {
    await delivered(owner, friend, 5_000);
  } catch {
    meets = 'once the stranger has gone';
    await intruder.quit();
    await delivered(owner, friend, TIMEOUT_MS);
  }
  const told = intruder.child.output.includes(SECRET);
  for (const client of [owner, intruder, friend]) await client.quit();
  return {
    figure: `reads ${read || told ? 'the secret' : 'nothing'}, is ${heard ? 'heard' : 'not heard'}; the friend with the phrase chats ${meets}`,
    pass: !read && !told && !heard,
  };
}

async function relaysNothing(context: VerifyContext, lab: NatLab) {
  const script = join(context.root, 'packages/testkit/python/signalling_stranger.py');
  const attacker = lab.networks[3]!.host;
  const victim = lab.networks[1]!.host;
  const joined = attacker.start(
    'stranger',
    PYTHON,
    [...[script, lab.server.address, `${SERVER_PORT}`, '100']],
    { input: true },
  );
  const [welcome] = await joined.waitFor(/\{[^\n]*"type": ?"welcome"[^\n]*\}/, TIMEOUT_MS);
  const { credentials } = JSON.parse(welcome) as {
    credentials: { username: string; password: string };
  };
  const agent = new UdpAgent(victim);
  const socket = await agent.open();
  let arrived = 0;
  socket.onDatagram = () => {
    arrived += 1;
  };
  const relay = async (user: string, password: string, peer: string, port: number) => {
    const before = arrived;
    const said = await uclient(attacker, lab, user, password, peer, port);
    return { arrived: arrived - before, refused: /403|Forbidden/i.test(said), said };
  };
  // The same attempt with a user of `--turn-user`, who may reach any public address: it shows that the attempt is a real one.
  const friend = await relay('friend', 'secret', victim.address, socket.port);
  const targets = [
    [victim.address, socket.port, 'another host'],
    ['127.0.0.1', SERVER_PORT, "the server's loopback"],
    [lab.server.address, SERVER_PORT, "the server's own port"],
    ['10.1.0.2', 9, 'a private address'],
    ['203.0.113.200', 9, 'a public address'],
  ] as const;
  const figures: string[] = [];
  let pass = friend.arrived > 0;
  for (const [address, port, what] of targets) {
    const { refused, arrived: got } = await relay(
      credentials.username,
      credentials.password,
      address,
      port,
    );
    figures.push(`${what}: ${refused ? '403' : 'NOT refused'}${got > 0 ? `, ${got} arrived` : ''}`);
    if (!refused || got > 0) pass = false;
  }
  joined.endInput();
  return {
    figure: `a user of --turn-user gets ${friend.arrived} packets to another host; a member of a pool: ${figures.join(', ')}${friend.arrived > 0 ? '' : `: ${friend.said.slice(-400)}`}`,
    pass,
  };
}

/** What `turnutils_uclient` says when it is to send to a peer by Send indications. */
async function uclient(
  host: LabHost,
  lab: NatLab,
  user: string,
  password: string,
  peer: string,
  port: number,
): Promise<string> {
  const child = host.start('turnutils_uclient', 'timeout', [
    ...['10', 'turnutils_uclient', '-v', '-s', '-c', '-n', '3', '-u', user, '-w', password],
    ...['-e', peer, '-r', `${port}`, '-p', `${SERVER_PORT}`, lab.server.address],
  ]);
  await child.exited;
  return child.output;
}

export const strangerLine: VerifyLine = {
  name: 'stranger',
  title: 'a stranger who knows the pool but not the phrase',
  needs: ['ip', 'nft', 'conntrack', 'nsenter', 'turnutils_uclient'],
  run: stranger,
};
