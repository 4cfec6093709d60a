// One run: relay-load.ts COMMAND PORT MESSAGES FLAGS... Starts the server, lets turnutils_uclient send so many messages a client through it to
// turnutils_peer, which sends them back, and tells what one relayed packet cost the server. A message is two packets: to the peer, and back.
import { type ChildProcess, spawn } from 'node:child_process';
import { printMeasured } from '../measured.ts';
import type { Command } from '../program.ts';
import { ServerProcess } from './server-process.ts';

const [commandJson, portText, messages, ...flags] = process.argv.slice(2) as [
  string,
  string,
  string,
  ...string[],
];
const port = Number(portText);
const peerPort = port + 5;
const HOST = '127.0.0.1';
/** Messages of each client before those that are measured: what is compiled as it runs needs some 20,000 packets. */
const WARM_UP_MESSAGES = 1_000;

const server = await ServerProcess.start(JSON.parse(commandJson) as Command, port);
const peer = spawn('turnutils_peer', ['-L', HOST, '-p', `${peerPort}`], { stdio: 'ignore' });
try {
  await send(WARM_UP_MESSAGES);
  const before = server.cpu();
  const start = performance.now();
  const output = await send(Number(messages));
  const seconds = (performance.now() - start) / 1e3;
  const after = server.cpu();
  const sent = lastNumber(output, /tot_send_msgs=(\d+)/g);
  const received = lastNumber(output, /tot_recv_msgs=(\d+)/g);
  const lost = lastNumber(output, /Total lost packets (\d+)/g);
  const packets = 2 * received;
  const cpuSeconds = after.user - before.user + after.system - before.system;
  printMeasured(
    {
      wallSeconds: seconds / packets,
      userSeconds: (after.user - before.user) / packets,
      systemSeconds: (after.system - before.system) / packets,
      peakBytes: server.peakBytes(),
      figures: { 'packets per CPU s': packets / cpuSeconds, lost },
    },
    // What is lost is told, and not compared: a machine that is busy with other things loses some of what it is sent in bursts.
    `${sent} sent`,
  );
} finally {
  peer.kill();
  await server.stop();
}

async function send(count: number): Promise<string> {
  return await outputOf(
    spawn('turnutils_uclient', [
      ...['-u', 'alice', '-w', 'secret', '-p', portText, '-e', HOST, '-r', `${peerPort}`],
      ...['-n', `${count}`, ...flags, HOST],
    ]),
  );
}

async function outputOf(child: ChildProcess): Promise<string> {
  let output = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  child.stderr?.resume();
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) throw new Error(`turnutils_uclient ended with ${code}: ${output.slice(-500)}`);
  return output;
}

function lastNumber(text: string, pattern: RegExp): number {
  return Number([...text.matchAll(pattern)].at(-1)?.[1] ?? Number.NaN);
}
