// NATTYPE on one machine: all 16 pairs of filters 0 to 3 on 127.0.0.1, direct but for 3 with 3, by the count on the loopback interface.
import { setTimeout as sleep } from 'node:timers/promises';
import { NatLab } from '../../nat-lab/lab.ts';
import type { VerifyContext, VerifyLine, VerifyResult } from '../line.ts';
import { ChatClient, ChatServer, converse, delivered, SERVER_PORT } from './chat.ts';
import { SETTLED_AFTER_MS } from './pair.ts';
import { complaint, median, milliseconds } from './tasks.ts';

const NAT_TYPES = [0, 1, 2, 3] as const;
const LINES = 40;
const LINE_BYTES = 400;
const TIMEOUT_MS = 20_000;

/** What passes the loopback interface from or to the server's ports. */
const COUNTER = `table ip judge {
  counter server { }
  chain output {
    type filter hook output priority filter
    meta l4proto { tcp, udp } th sport { ${SERVER_PORT}, ${SERVER_PORT + 1} } counter name server
    meta l4proto { tcp, udp } th dport { ${SERVER_PORT}, ${SERVER_PORT + 1} } counter name server
  }
}
`;

async function* oneMachine(context: VerifyContext): AsyncGenerator<VerifyResult> {
  const pairs = NAT_TYPES.flatMap((a) => NAT_TYPES.map((b) => [a, b] as const)).filter(
    ([a, b]) => !context.quick || a === b || (a === 2 && b === 3),
  );
  const lab = await NatLab.create({ networks: [] });
  const wrong: string[] = [];
  const timesMs: number[] = [];
  try {
    const host = lab.server;
    await host.run('nft', ['-f', '-'], COUNTER);
    await ChatServer.start(context.root, host);
    const serverBytes = async () =>
      Number(
        /bytes (\d+)/.exec(await host.run('nft', ['list', 'counter', 'ip', 'judge', 'server']))![1],
      );
    for (const [index, types] of pairs.entries()) {
      const start = (natType: number) =>
        new ChatClient({
          root: context.root,
          host,
          server: '127.0.0.1',
          pool: `${100 + index}`,
          args: [`${natType}`],
        });
      try {
        const a = start(types[0]);
        await a.event('joined', TIMEOUT_MS);
        const b = start(types[1]);
        const joinedAt = b.timeOf(await b.event('joined', TIMEOUT_MS));
        a.say('hello from the first');
        b.say('hello from the second');
        await delivered(a, b, TIMEOUT_MS);
        timesMs.push(performance.now() - joinedAt);
        await sleep(SETTLED_AFTER_MS);
        const before = await serverBytes();
        const textBytes = await converse(a, b, LINES, LINE_BYTES, TIMEOUT_MS);
        const isRelayed = (await serverBytes()) - before >= textBytes;
        const said = `${a.last('path')?.kind}/${b.last('path')?.kind}`;
        const must = types[0] === 3 && types[1] === 3;
        if (isRelayed !== must || said !== (must ? 'relay/relay' : 'direct/direct')) {
          wrong.push(
            `${types.join(' with ')}: ${isRelayed ? 'relay' : 'direct'} (it says ${said})`,
          );
        }
        await a.quit();
        await b.quit();
      } catch (error) {
        wrong.push(`${types.join(' with ')}: ${complaint(error)}`);
      }
    }
  } finally {
    await lab.close();
  }
  yield {
    command: `p2p-client 127.0.0.1 ${SERVER_PORT} 100 NATTYPE, ${pairs.length} pairs of 0 to 3`,
    figure: [
      `${pairs.length - wrong.length} of ${pairs.length} as they must be: relay for 3 with 3, direct otherwise; median to the first lines ${milliseconds(median(timesMs))}`,
      ...wrong,
    ].join('\n      '),
    pass: wrong.length === 0,
  };
}

export const oneMachineLine: VerifyLine = {
  name: 'one-machine',
  title: 'NATTYPE 0 to 3 on one machine',
  needs: ['ip', 'nft', 'conntrack', 'nsenter'],
  run: oneMachine,
};
