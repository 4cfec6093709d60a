// The server beside programs of others: coturn's load client over all transports, with what must be refused, and libdatachannel's own ICE.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeCertificate } from '@bt/nat-punch/node';
import { type LabHost, NatLab } from '../../nat-lab/lab.ts';
import { LineReader } from '../../nat-lab/line-reader.ts';
import type { VerifyContext, VerifyLine, VerifyResult } from '../line.ts';
import { vitestResults } from '../vitest-run.ts';
import { ChatServer, SERVER_PORT } from './chat.ts';
import { attempt } from './tasks.ts';

const ICE_AGENT = fileURLToPath(new URL('../../nat-lab/ice-agent.ts', import.meta.url));
const PEER_PORT = 7_000;
const MESSAGES = 100;
const TIMEOUT_MS = 120_000;
const ICE_TIMEOUT_MS = 30_000;

/** What turnutils_uclient is told besides, and how many clients it plays. */
const LOADS = [
  [],
  ['-s'],
  ['-m', '20'],
  ['-y'],
  ['-t'],
  ['-t', '-s'],
  ['-t', '-m', '20'],
  ['-t', '-y'],
  ['-t', '-S'],
  ['-t', '-S', '-s'],
  ['-t', '-S', '-m', '20'],
  ['-t', '-S', '-y'],
] as const;

async function* programs(context: VerifyContext): AsyncGenerator<VerifyResult> {
  yield* vitestResults(context.root, '@bt/nat-punch', 'stun-message.test.ts', 'RFC 5769');
  const lab = await NatLab.create({
    networks: [
      { nat: 'none' },
      { nat: 'none' },
      { nat: 'port-restricted' },
      { nat: 'port-restricted' },
      { nat: 'symmetric' },
    ],
  });
  try {
    await startServer(context, lab);
    const [client, peer] = lab.hosts as [LabHost, LabHost];
    peer.start('turnutils_peer', 'turnutils_peer', ['-L', peer.address, '-p', `${PEER_PORT}`]);
    const quick = ([a, b]: readonly string[]) => a !== '-t' || b === '-S';
    for (const flags of context.quick ? LOADS.filter(quick) : LOADS) {
      yield await attempt(`turnutils_uclient ${flags.join(' ')}`.trim(), () =>
        load(client, lab.server.address, peer.address, flags),
      );
    }
    yield* refusals(client, lab, peer.address);
    yield* ice(context, lab);
  } finally {
    await lab.close();
  }
}

async function startServer(context: VerifyContext, lab: NatLab): Promise<void> {
  const { certificate, key } = makeCertificate();
  const paths = [join(context.folder, 'cert.pem'), join(context.folder, 'key.pem')] as const;
  await writeFile(paths[0], certificate);
  await writeFile(paths[1], key);
  await ChatServer.start(context.root, lab.server, [
    ...['--bind', lab.server.address, '--turn-user', 'alice:secret'],
    ...['--cert', paths[0], '--key', paths[1]],
  ]);
}

function uclient(
  client: LabHost,
  server: string,
  peer: string,
  { port = PEER_PORT, password = 'secret', flags = [] as readonly string[] } = {},
) {
  return client.start('turnutils_uclient', 'timeout', [
    ...['100', 'turnutils_uclient', '-u', 'alice', '-w', password, '-p', `${SERVER_PORT}`],
    ...['-e', peer, '-r', `${port}`, '-n', `${MESSAGES}`, '-l', '500', ...flags, server],
  ]);
}

async function load(client: LabHost, server: string, peer: string, flags: readonly string[]) {
  const child = uclient(client, server, peer, { flags });
  const { code } = await child.waitForExit(TIMEOUT_MS);
  const last = (pattern: RegExp) => [...child.output.matchAll(pattern)].at(-1)?.[1];
  const sent = Number(last(/tot_send_msgs=(\d+)/g) ?? 0);
  const received = Number(last(/tot_recv_msgs=(\d+)/g) ?? 0);
  const lost = last(/Total lost packets (\d+)/g);
  return {
    figure: `${received} of ${sent} messages back, ${lost} lost, exit ${code}`,
    pass: code === 0 && lost === '0' && sent >= MESSAGES && received === sent,
  };
}

/** Each must end the load program before anything is sent, with the number of the error where it tells one. */
async function* refusals(client: LabHost, lab: NatLab, peer: string): AsyncGenerator<VerifyResult> {
  const server = lab.server.address;
  const cases = [
    ['a wrong password', { password: 'wrong' }, peer, /Cannot complete Allocation|error 401/],
    ['a private peer', {}, '10.1.2.3', /error 403/],
    ['the server itself', { port: SERVER_PORT }, server, /error 403/],
    ['a loopback peer', {}, '127.0.0.1', /error 403/],
  ] as const;
  for (const [name, options, address, pattern] of cases) {
    yield await attempt(`turnutils_uclient, ${name}`, async () => {
      const child = uclient(client, server, address, { ...options, flags: ['-c'] });
      const { code } = await child.waitForExit(TIMEOUT_MS);
      const said = pattern.exec(child.output)?.[0];
      const sent = [...child.output.matchAll(/tot_send_msgs=([1-9]\d*)/g)].length > 0;
      return {
        figure: `${said ?? 'not refused'}${sent ? ', and yet something was sent' : ''}, exit ${code}`,
        pass: said !== undefined && !sent && code !== 0,
      };
    });
  }
}

/** Two ends of plain WebRTC behind NATs of their own. */
async function* ice(context: VerifyContext, lab: NatLab): AsyncGenerator<VerifyResult> {
  const { address } = lab.server;
  const [, , first, second, symmetric] = lab.hosts as LabHost[];
  const stun = `stun:${address}:${SERVER_PORT}`;
  const turn = `turn:alice:secret@${address}:${SERVER_PORT}`;
  const cases = [
    ['by STUN', { iceServers: [stun] }, second, (kind: string) => kind !== 'relay'],
    [
      "by iceTransportPolicy 'relay'",
      { iceServers: [turn], iceTransportPolicy: 'relay' },
      second,
      (kind: string) => kind === 'relay',
    ],
    ['by TURN where one NAT is symmetric', { iceServers: [stun, turn] }, symmetric, () => true],
  ] as const;
  for (const [name, config, host, isExpected] of cases) {
    yield await attempt(`libdatachannel's ICE ${name}`, async () => {
      const { echo, local, remote, ms } = await connect(context, config, [first!, host!]);
      return {
        figure: `${echo} came back by ${local} and ${remote} after ${ms.toFixed(0)} ms`,
        pass: echo === 'hello' && isExpected(local),
      };
    });
  }
}

async function connect(context: VerifyContext, config: object, hosts: readonly LabHost[]) {
  const begin = performance.now();
  const roles = ['offer', 'answer'] as const;
  const ends = roles.map((role, i) =>
    hosts[i]!.start(
      `ICE agent (${role})`,
      process.execPath,
      ['--import', 'tsx', ICE_AGENT, JSON.stringify(config), role],
      { cwd: context.root, input: true },
    ),
  );
  try {
    return await new Promise<{ echo: string; local: string; remote: string; ms: number }>(
      (resolve, reject) => {
        const fail = () =>
          reject(new Error(ends.map(({ output }) => output.slice(-1_000)).join('\n')));
        const timer = setTimeout(fail, ICE_TIMEOUT_MS);
        for (const [i, end] of ends.entries()) {
          void end.exited.then(fail);
          const reader = new LineReader((line) => {
            const signal = JSON.parse(line);
            if (signal.echo === undefined) {
              ends[1 - i]!.write(`${line}\n`);
              return;
            }
            clearTimeout(timer);
            resolve({ ...signal, ms: performance.now() - begin });
          });
          end.onOutput = (text) => reader.handleText(text);
        }
      },
    );
  } finally {
    await Promise.all(ends.map((end) => end.stop()));
  }
}

export const programsLine: VerifyLine = {
  name: 'programs',
  title: "coturn's programs and libdatachannel's ICE at our server",
  needs: ['ip', 'nft', 'conntrack', 'nsenter', 'turnutils_uclient'],
  run: programs,
};
