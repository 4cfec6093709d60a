// One run: load.ts COMMAND METHOD COUNT. Starts the server, makes it know 64 nodes and 100 peers of each of 20 torrents, sends it COUNT
// queries with 64 in flight, and tells what one of them cost the server.
import { spawn } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { decodeDict, encode } from '@bt/bencode';
import { printMeasured } from '../measured.ts';
import type { Command } from '../program.ts';

const HOST = '127.0.0.1';
const IN_FLIGHT = 64;
const NODES = 64;
const TORRENTS = 20;
const PEERS_OF_EACH = 100;
const ANSWER_MS = 2_000;
const TICKS_PER_SECOND = 100; // as in program.ts

const [commandJson, method, countText] = process.argv.slice(2) as [string, string, string];
const count = Number(countText);
const { file, args } = JSON.parse(commandJson) as Command;
const server = spawn(file, [...args], { stdio: ['pipe', 'pipe', 'inherit'] });
const port = await new Promise<number>((resolve, reject) => {
  createInterface(server.stdout).once('line', (line) => resolve(Number(line)));
  server.once('exit', () => reject(new Error('the server has ended')));
});

/** Ids that differ in their first bits, so that the table has to split. */
function idOf(kind: number, index: number): Uint8Array {
  const id = new Uint8Array(20).fill(kind);
  id[0] = (index * 37) & 0xff;
  id[1] = index;
  return id;
}

/** A node as far as the server can tell: it answers pings, and waits for answers of its own. */
class StubNode {
  readonly socket: Socket = createSocket('udp4');
  readonly #id: Uint8Array;
  readonly #waiting = new Map<string, (answer: Uint8Array) => void>();
  #sequence = 0;

  constructor(id: Uint8Array) {
    this.#id = id;
    this.socket.on('message', (bytes) => this.#receive(bytes));
  }

  async query(
    q: string,
    a: Readonly<Record<string, string | number | Uint8Array>>,
  ): Promise<Uint8Array> {
    this.#sequence += 1;
    const t = String(this.#sequence);
    for (let attempt = 0; attempt < 5; attempt += 1) {
      const answer = await new Promise<Uint8Array | undefined>((resolve) => {
        const timer = setTimeout(() => resolve(undefined), ANSWER_MS);
        this.#waiting.set(t, (bytes) => {
          clearTimeout(timer);
          resolve(bytes);
        });
        this.socket.send(encode({ a: { id: this.#id, ...a }, q, t, y: 'q' }), port, HOST);
      });
      if (answer !== undefined) return answer;
    }
    throw new Error(`no answer to ${q}`);
  }

  #receive(bytes: Uint8Array): void {
    const message = decodeDict(bytes);
    const t = message.bytes('t') ?? new Uint8Array();
    if (message.text('y') === 'q') {
      this.socket.send(encode({ r: { id: this.#id }, t, y: 'r' }), port, HOST);
      return;
    }
    const key = Buffer.from(t).toString('latin1');
    const resolve = this.#waiting.get(key);
    this.#waiting.delete(key);
    resolve?.(bytes);
  }
}

const nodes = Array.from({ length: NODES }, (_, index) => new StubNode(idOf(1, index)));
for (const node of nodes) await node.query('ping', {});
for (let torrent = 0; torrent < TORRENTS; torrent += 1) {
  for (let peer = 0; peer < PEERS_OF_EACH; peer += 1) {
    const node = nodes[peer % NODES]!;
    const info_hash = idOf(2, torrent);
    const token = decodeDict(await node.query('get_peers', { info_hash }))
      .dict('r')
      ?.bytes('token');
    if (token === undefined) continue;
    await node.query('announce_peer', { info_hash, port: 10_000 + peer, token });
  }
}

/** What one query of the load says: the same for every server. */
function queryFor(index: number): Uint8Array {
  const t = new Uint8Array([index >>> 8, index & 0xff]);
  const id = idOf(3, index & 0xff);
  const target = method === 'get_peers' ? idOf(2, index % TORRENTS) : idOf(4, index & 0xff);
  const a: Record<string, Uint8Array> =
    method === 'ping'
      ? { id }
      : method === 'find_node'
        ? { id, target }
        : { id, info_hash: target };
  return encode({ a, q: method, t, y: 'q' });
}

const queries = Array.from({ length: 4096 }, (_, index) => queryFor(index));
let sent = 0;
let answered = 0;
let wrong = 0;
let lastAnswerMs = performance.now();
const socket = createSocket({ type: 'udp4', lookup: (host, _o, done) => done(null, host, 4) });

async function load(total: number): Promise<void> {
  sent = 0;
  answered = 0;
  await new Promise<void>((resolve) => {
    const sendOne = () => {
      socket.send(queries[sent % queries.length]!, port, HOST);
      sent += 1;
    };
    socket.removeAllListeners('message');
    socket.on('message', (bytes) => {
      // `1:y1:r` ends every response of a sorted dictionary.
      if (bytes[bytes.length - 2] !== 0x72) {
        // The server's own query to a stranger; it gets no answer.
        if (bytes[bytes.length - 2] !== 0x71) wrong += 1;
        return;
      }
      answered += 1;
      lastAnswerMs = performance.now();
      if (sent < total) sendOne();
      else if (answered >= total) done();
    });
    // What is lost on loopback is asked again, so that the load does not stand still.
    const timer = setInterval(() => {
      if (performance.now() - lastAnswerMs < 500) return;
      for (let i = answered; i < Math.min(total, answered + IN_FLIGHT); i += 1) sendOne();
    }, 500);
    const done = () => {
      clearInterval(timer);
      resolve();
    };
    for (let i = 0; i < IN_FLIGHT; i += 1) sendOne();
  });
}

await load(Math.ceil(count / 10));
const before = serverCpu();
const start = performance.now();
await load(count);
const wallSeconds = (performance.now() - start) / 1e3 / count;
const after = serverCpu();
const peakKb = /^VmHWM:\s*(\d+) kB/m.exec(
  readFileSync(`/proc/${server.pid}/status`, 'latin1'),
)?.[1];
printMeasured(
  {
    wallSeconds,
    userSeconds: (after.user - before.user) / TICKS_PER_SECOND / count,
    systemSeconds: (after.system - before.system) / TICKS_PER_SECOND / count,
    peakBytes: Number(peakKb ?? 0) * 1024,
  },
  wrong === 0 ? 'every query answered' : `${wrong} answers were none`,
);
server.stdin.end();
socket.close();
for (const node of nodes) node.socket.close();

/** proc(5): utime and stime, fields 14 and 15. */
function serverCpu(): { user: number; system: number } {
  const stat = readFileSync(`/proc/${server.pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { user: Number(fields[11]), system: Number(fields[12]) };
}
