// One run: binding-load.ts COMMAND PORT COUNT. Starts the server, sends it COUNT Binding requests with 64 in flight, and tells what one of them
// cost the server.
import { createSocket } from 'node:dgram';
import { decodeStunMessage, STUN_ATTRIBUTE, STUN_METHOD, StunWriter } from '@bt/nat-punch';
import { printMeasured } from '../measured.ts';
import type { Command } from '../program.ts';
import { ServerProcess } from './server-process.ts';

const HOST = '127.0.0.1';
const IN_FLIGHT = 64;
const [commandJson, portText, countText] = process.argv.slice(2) as [string, string, string];
const port = Number(portText);
const count = Number(countText);
const server = await ServerProcess.start(JSON.parse(commandJson) as Command, port);
const socket = createSocket({ type: 'udp4', lookup: (host, _o, done) => done(null, host, 4) });
const requests = Array.from({ length: 256 }, (_, i) =>
  new StunWriter('request', STUN_METHOD.binding, new Uint8Array(12).fill(i)).finish(),
);
let wrong = 0;

async function load(total: number): Promise<void> {
  let sent = 0;
  let answered = 0;
  let lastAnswerMs = performance.now();
  await new Promise<void>((resolve) => {
    const sendOne = (): void => {
      socket.send(requests[sent % requests.length]!, port, HOST);
      sent += 1;
    };
    // What is lost on loopback is asked again, so that the load does not stand still.
    const again = setInterval(() => {
      if (performance.now() - lastAnswerMs < 500) return;
      for (let i = 0; i < Math.min(IN_FLIGHT, total - answered); i += 1) sendOne();
    }, 500);
    socket.removeAllListeners('message');
    socket.on('message', (bytes) => {
      answered += 1;
      lastAnswerMs = performance.now();
      // Each thousandth is read: the load should not take longer than the answer.
      if (answered % 1_000 === 0) check(bytes);
      if (sent < total) sendOne();
      if (answered !== total) return;
      clearInterval(again);
      resolve();
    });
    for (let i = 0; i < IN_FLIGHT; i += 1) sendOne();
  });
}

function check(bytes: Uint8Array): void {
  const told = decodeStunMessage(bytes)?.xorAddress(STUN_ATTRIBUTE.xorMappedAddress);
  if (told?.port !== socket.address().port) wrong += 1;
}

try {
  await load(Math.ceil(count / 10));
  const before = server.cpu();
  const start = performance.now();
  await load(count);
  const wallSeconds = (performance.now() - start) / 1e3 / count;
  const after = server.cpu();
  const cpuSeconds = after.user - before.user + after.system - before.system;
  printMeasured(
    {
      wallSeconds,
      userSeconds: (after.user - before.user) / count,
      systemSeconds: (after.system - before.system) / count,
      peakBytes: server.peakBytes(),
      figures: { 'requests per CPU s': count / cpuSeconds },
    },
    wrong === 0 ? 'every request answered' : `${wrong} answers were none`,
  );
} finally {
  socket.close();
  await server.stop();
}
