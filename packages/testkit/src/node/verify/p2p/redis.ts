// Two servers that meet through Redis: clients of one pool on different servers chat, through Redis's absence too.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Child } from '../../child.ts';
import { NatLab } from '../../nat-lab/lab.ts';
import type { VerifyContext, VerifyLine, VerifyResult } from '../line.ts';
import { ChatClient, ChatServer, converse, delivered } from './chat.ts';
import { attempt, milliseconds } from './tasks.ts';

const REDIS_PORT = 6_379;
const TIMEOUT_MS = 20_000;

async function* redis(context: VerifyContext): AsyncGenerator<VerifyResult> {
  const lab = await NatLab.create({
    networks: [{ nat: 'port-restricted' }, { nat: 'symmetric' }, { nat: 'none' }, { nat: 'none' }],
    servers: 3,
  });
  try {
    yield* inLab(context, lab);
  } finally {
    await lab.close();
  }
}

async function* inLab(context: VerifyContext, lab: NatLab): AsyncGenerator<VerifyResult> {
  const [first, second, store] = lab.servers as [
    NatLab['server'],
    NatLab['server'],
    NatLab['server'],
  ];
  const folder = join(context.folder, 'redis');
  await mkdir(folder);
  const startRedis = async (): Promise<Child> => {
    const child = store.start('redis-server', 'redis-server', [
      ...['--bind', store.address, '--port', `${REDIS_PORT}`, '--protected-mode', 'no'],
      ...['--save', '', '--dir', folder],
    ]);
    await child.waitFor(/Ready to accept connections/, TIMEOUT_MS);
    return child;
  };
  let running = await startRedis();
  const url = `redis://${store.address}:${REDIS_PORT}`;
  const servers = [
    await ChatServer.start(context.root, first, ['--bind', '0.0.0.0', '--redis', url]),
    await ChatServer.start(context.root, second, ['--bind', '0.0.0.0', '--redis', url]),
  ] as const;
  const client = (network: number, server: NatLab['server'], pool: string) =>
    new ChatClient({
      root: context.root,
      host: lab.networks[network]!.host,
      server: server.address,
      pool,
    });
  const a = client(0, first, '100');
  await a.event('joined', TIMEOUT_MS);
  const b = client(1, second, '100');
  const joinedAt = b.timeOf(await b.event('joined', TIMEOUT_MS));
  yield await attempt('two clients of one pool on two servers', async () => {
    a.say('hello from the first server');
    b.say('hello from the second server');
    await delivered(a, b, TIMEOUT_MS);
    return {
      figure: `chat both ways ${milliseconds(performance.now() - joinedAt)} after the second's joining`,
      pass: true,
    };
  });
  yield await attempt('Redis goes away', async () => {
    const saidBefore = servers.map(({ child }) => child.output.length);
    await running.stop();
    const [line] = await Promise.all(
      servers.map(({ child }, i) => saysOfRedis(child, saidBefore[i]!)),
    );
    await converse(a, b, 20, 60, TIMEOUT_MS);
    return {
      figure: `both servers say so (${line?.slice(0, 160)}), and the chat goes on`,
      pass: true,
    };
  });
  yield await attempt('Redis comes back', async () => {
    running = await startRedis();
    const pool = '200';
    const begin = performance.now();
    const c = client(2, first, pool);
    const d = client(3, second, pool);
    c.say('and again');
    d.say('and again');
    await delivered(c, d, 2 * TIMEOUT_MS);
    const ms = performance.now() - begin;
    await converse(a, b, 20, 60, TIMEOUT_MS);
    return {
      figure: `two new clients on two servers chat after ${milliseconds(ms)}, and the old chat goes on`,
      pass: true,
    };
  });
  await running.stop();
}

/** What a program says of Redis after the first `from` characters of its output. */
async function saysOfRedis(child: Child, from: number): Promise<string> {
  const end = performance.now() + TIMEOUT_MS;
  for (;;) {
    const line = /[^\n]*redis[^\n]*/i.exec(child.output.slice(from))?.[0];
    if (line !== undefined) return line;
    if (performance.now() > end)
      throw new Error(`nothing about Redis: ${child.output.slice(from)}`);
    await sleep(20);
  }
}

export const redisLine: VerifyLine = {
  name: 'redis',
  title: 'two servers that meet through Redis',
  needs: ['ip', 'nft', 'conntrack', 'nsenter', 'redis-server'],
  run: redis,
};
