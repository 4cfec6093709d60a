// Ten thousand mutated packets sent to a real `pieces dht` node: it goes on answering, within bounds.
import { createSocket, type Socket } from 'node:dgram';
import { readFile } from 'node:fs/promises';
import { encode } from '@bt/bencode';
import { labAddress } from '../namespace.ts';
import { DHT_PORT, startDhtNode } from '../peers/dht-nodes.ts';
import type { VerifyContext, VerifyLine, VerifyResult } from './line.ts';

const PACKETS = 10_000;
const MAX_ANSWER_BYTES = 1_400;
/** What the node may have grown by: stores, tables and buffers that were empty before. */
const MAX_GROWTH_BYTES = 64 * 2 ** 20;

async function* packets(context: VerifyContext): AsyncGenerator<VerifyResult> {
  const node = { address: labAddress(30), port: DHT_PORT };
  const child = startDhtNode(
    { ...node, bootstrap: [], extra: ['--no-rate-limit'] },
    context.folder,
  );
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, labAddress(31), resolve));
  const client = new Client(socket, node);
  try {
    await child.waitFor(/\{/, 20_000);
    await client.query('ping', {});
    const before = await residentBytes(child.pid);
    const valid = sampleQueries();
    for (let i = 0; i < PACKETS; i++) {
      client.send(mutate(valid[i % valid.length]!, i));
      // The kernel's buffer is small: what it drops tests nothing.
      if (i % 50 === 49) await client.query('ping', {});
    }
    const after = await client.query('ping', {});
    const growth = (await residentBytes(child.pid)) - before;
    yield {
      command: `${PACKETS} mutated packets to pieces dht`,
      figure: `${after === undefined ? 'no answer afterwards' : 'it answers'}; largest answer ${client.largestBytes} bytes of ${MAX_ANSWER_BYTES}; memory grew by ${(growth / 2 ** 20).toFixed(0)} MiB of ${MAX_GROWTH_BYTES / 2 ** 20}`,
      pass:
        after !== undefined &&
        child.running &&
        client.largestBytes <= MAX_ANSWER_BYTES &&
        growth <= MAX_GROWTH_BYTES,
    };
    const infoHash = new Uint8Array(20).fill(7);
    const forged = await client.query('announce_peer', {
      info_hash: infoHash,
      port: 7001,
      token: 'forged!!',
    });
    const peers = await client.query('get_peers', { info_hash: infoHash });
    yield {
      command: 'announce_peer with a forged token',
      figure: `${printable(forged)}; get_peers ${peers?.includes('6:values') ? 'has' : 'has not'} values`,
      pass: isError(forged, 203) && peers !== undefined && !peers.includes('6:values'),
    };
    const unknown = await client.query('make_coffee', {});
    yield {
      command: 'an unknown method',
      figure: printable(unknown),
      pass: isError(unknown, 204),
    };
  } finally {
    socket.close();
    await child.stop();
  }
}

class Client {
  largestBytes = 0;
  readonly #socket: Socket;
  readonly #node: { readonly address: string; readonly port: number };
  readonly #waiting = new Map<string, (answer: string) => void>();
  #sequence = 0;

  constructor(socket: Socket, node: { readonly address: string; readonly port: number }) {
    this.#socket = socket;
    this.#node = node;
    socket.on('message', (bytes) => {
      this.largestBytes = Math.max(this.largestBytes, bytes.length);
      const text = bytes.toString('latin1');
      const transaction = /1:t4:(q\d{3})/.exec(text)?.[1] ?? '';
      this.#waiting.get(transaction)?.(text);
    });
  }

  send(bytes: Uint8Array): void {
    this.#socket.send(bytes, this.#node.port, this.#node.address);
  }

  /** The answer as Latin-1 text; undefined when none comes in two seconds. */
  async query(
    method: string,
    args: Readonly<Record<string, string | number | Uint8Array>>,
  ): Promise<string | undefined> {
    this.#sequence = (this.#sequence + 1) % 1000;
    const transaction = `q${String(this.#sequence).padStart(3, '0')}`;
    return await new Promise((resolve) => {
      const timer = setTimeout(() => done(undefined), 2_000);
      const done = (answer: string | undefined) => {
        clearTimeout(timer);
        this.#waiting.delete(transaction);
        resolve(answer);
      };
      this.#waiting.set(transaction, done);
      this.send(encode({ t: transaction, y: 'q', q: method, a: { id: OWN_ID, ...args } }));
    });
  }
}

const OWN_ID = new Uint8Array(20).fill(0x42);

function sampleQueries(): Uint8Array[] {
  const id = OWN_ID;
  const target = new Uint8Array(20).fill(0x17);
  const queries: Readonly<Record<string, Record<string, unknown>>> = {
    ping: { id },
    find_node: { id, target, want: ['n4', 'n6'] },
    get_peers: { id, info_hash: target, scrape: 1 },
    announce_peer: { id, info_hash: target, port: 6881, token: 'abcdefgh', implied_port: 0 },
    get: { id, target, seq: 1 },
    put: {
      id,
      v: 'hello',
      token: 'abcdefgh',
      k: new Uint8Array(32),
      sig: new Uint8Array(64),
      seq: 1,
    },
    sample_infohashes: { id, target },
  };
  const messages = Object.entries(queries).map(([q, a]) =>
    encode({ a: a as Record<string, string>, q, t: 'mu', v: 'XX01', y: 'q' }),
  );
  messages.push(encode({ r: { id, nodes: new Uint8Array(208), token: 'x' }, t: 'mu', y: 'r' }));
  messages.push(encode({ e: [203, 'no'], t: 'mu', y: 'e' }));
  return messages;
}

/** A few bytes changed, cut, doubled or swapped, the same for the same number. */
function mutate(original: Uint8Array, seed: number): Uint8Array {
  let x = (seed + 1) * 2_654_435_761;
  const next = (limit: number) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % limit;
  };
  let bytes = Buffer.from(original);
  for (let changes = 1 + next(4); changes > 0; changes--) {
    const at = next(bytes.length);
    const kind = next(5);
    if (kind === 0) bytes[at] = next(256);
    else if (kind === 1) bytes = bytes.subarray(0, Math.max(1, at));
    else if (kind === 2) bytes = Buffer.concat([bytes.subarray(0, at), bytes]).subarray(0, 1_600);
    else if (kind === 3) bytes[at] = 'dlei0123456789:-'.charCodeAt(next(16));
    else
      bytes = Buffer.concat([
        bytes.subarray(0, at),
        Buffer.from('99999999999:'),
        bytes.subarray(at),
      ]);
  }
  return bytes;
}

function isError(answer: string | undefined, code: number): boolean {
  return answer?.includes('1:y1:e') === true && answer.includes(`li${code}e`);
}

function printable(answer: string | undefined): string {
  return answer === undefined ? 'no answer' : answer.replaceAll(/[^\x20-\x7e]/g, '.');
}

async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? Number.NaN) * 1024;
}

export const packetsLine: VerifyLine = {
  name: 'packets',
  title: 'a DHT node among ten thousand mutated packets, a forged token, an unknown method',
  needs: [],
  run: packets,
};
