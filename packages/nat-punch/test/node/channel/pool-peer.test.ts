import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeCertificate } from '../../../src/node/channel/certificate.ts';
import {
  type PeerTransport,
  PoolPeer,
  type PoolPeerOptions,
} from '../../../src/node/channel/pool-peer.ts';
import type { IncomingTransfer } from '../../../src/node/files/file-exchange.ts';
import { PARTS_FOLDER } from '../../../src/node/files/save-folder.ts';

let folder = '';
const pairs: Pair[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bt-nat-punch-'));
});
afterEach(async () => {
  for (const pair of pairs.splice(0)) for (const peer of pair.peers) peer.close();
  await rm(folder, { recursive: true, force: true });
});

/** What `a` is to `b` and `b` to `a`, with a path between them that can be cut. */
class Pair {
  readonly peers: [PoolPeer, PoolPeer];
  readonly states: [string[], string[]] = [[], []];
  hasPath = true;
  /** A datagram found no path. */
  onLost = () => {};
  readonly #transports: PeerTransport[] = [];
  #wake = () => {};

  constructor(options: Partial<PoolPeerOptions> = {}, second = options) {
    this.peers = [this.#peer(0, options), this.#peer(1, second)];
    pairs.push(this);
  }

  #peer(index: 0 | 1, options: Partial<PoolPeerOptions>): PoolPeer {
    const other = index === 0 ? 1 : 0;
    const transport: PeerTransport = {
      send: (datagram) => {
        if (this.hasPath) this.#transports[other]?.onDatagram(datagram);
        else this.onLost();
      },
      onDatagram: () => {},
      onPath: () => {},
      close: () => {},
    };
    this.#transports[index] = transport;
    const peer = new PoolPeer({
      kind: 'terminal',
      isControlling: index === 0,
      identities: index === 0 ? { own: 'a', peer: 'b' } : { own: 'b', peer: 'a' },
      certificate: makeCertificate(),
      signal: (data) => setImmediate(() => this.peers[other].handleSignal(data)),
      transport,
      ...options,
    });
    peer.onState = () => {
      this.states[index].push(peer.state);
      this.#wake();
    };
    return peer;
  }

  setPath(hasPath: boolean): void {
    this.hasPath = hasPath;
    const path = {
      kind: 'direct',
      method: 'host',
      local: { address: '127.0.0.1', port: 1 },
      remote: { address: '127.0.0.1', port: 2 },
      reason: 'there is one',
    } as const;
    for (const transport of this.#transports) transport.onPath(hasPath ? path : undefined);
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

async function read(peer: PoolPeer, count: number): Promise<(string | Uint8Array)[]> {
  const got: (string | Uint8Array)[] = [];
  if (count === 0) return got;
  const reader = peer.messages();
  for (let next = await reader.next(); !next.done; next = await reader.next()) {
    got.push(next.value);
    if (got.length === count) break;
  }
  return got;
}

describe('talk', () => {
  it('arrives, text and bytes, both ways, what was sent before the channel too', async () => {
    const { peers } = new Pair();
    await peers[0].send('žluťoučký kůň 👨‍👩‍👧');
    await peers[0].send(Uint8Array.of(1, 2, 3));
    await peers[1].send('hello');
    expect(await read(peers[1], 2)).toEqual(['žluťoučký kůň 👨‍👩‍👧', Uint8Array.of(1, 2, 3)]);
    expect(await read(peers[0], 1)).toEqual(['hello']);
    await peers[0].drained();
  });

  it('of thousands of lines arrives whole and in order, though the path comes and goes', async () => {
    const pair = new Pair();
    const lines = Array.from({ length: 2200 }, (_, index) => `line ${index}`);
    const sending = (async () => {
      for (const [index, line] of lines.entries()) {
        await pair.peers[0].send(line);
        if (index % 500 === 250) pair.setPath(false);
        if (index % 500 === 400) pair.onLost = () => pair.setPath(true);
      }
      pair.setPath(true);
    })();
    expect(await read(pair.peers[1], lines.length)).toEqual(lines);
    await sending;
  });

  it('survives the death of the channel, nothing lost or doubled', async () => {
    const pair = new Pair();
    await pair.peers[0].send('one');
    expect(await read(pair.peers[1], 1)).toEqual(['one']);
    pair.setPath(false);
    await pair.peers[0].send('two');
    pair.peers[1].renew();
    await pair.until(() => pair.states.every((states) => states.includes('connecting')));
    await pair.peers[1].send('three');
    pair.setPath(true);
    expect(await read(pair.peers[1], 1)).toEqual(['two']);
    expect(await read(pair.peers[0], 1)).toEqual(['three']);
    await Promise.all(pair.peers.map((peer) => peer.drained()));
  });

  it('waits for a reader, and makes the sender wait', async () => {
    const pair = new Pair();
    const line = 'x'.repeat(16_000);
    let sent = 0;
    const sending = (async () => {
      for (let i = 0; i < 1000; i += 1) {
        await pair.peers[0].send(line);
        sent += 1;
      }
    })();
    await pair.until(() => pair.states.every((states) => states.includes('open')));
    expect(sent).toBeLessThan(1000);
    expect(await read(pair.peers[1], 1000)).toHaveLength(1000);
    await sending;
  });

  it('ends with a goodbye that the other one hears', async () => {
    const pair = new Pair({ ownName: 'Ada' });
    await pair.peers[0].send('bye then');
    await pair.peers[0].leave(10_000);
    const all: unknown[] = [];
    for await (const message of pair.peers[1].messages()) all.push(message);
    expect(all).toEqual(['bye then']);
    expect(pair.peers[1].closeReason).toBe('left');
    expect(pair.peers[1].name).toBe('Ada');
    await expect(pair.peers[1].send('too late')).rejects.toMatchObject({ code: 'closed' });
  });
});

describe('files', () => {
  const CONTENT = Buffer.alloc(5_000_000, 'The quick brown fox. ');
  CONTENT.writeUInt32BE(0xdeadbeef, 4_000_000);
  const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

  const into = async () => {
    const path = join(folder, 'into');
    await mkdir(path, { recursive: true });
    return path;
  };

  async function source(name = 'a file.bin', content: Uint8Array = CONTENT): Promise<string> {
    const path = join(folder, name);
    await writeFile(path, content);
    return path;
  }

  const offered = (peer: PoolPeer) =>
    new Promise<IncomingTransfer>((resolve) => {
      peer.onOffer = resolve;
    });

  it('arrive with their checksum, never over another', async () => {
    const { peers } = new Pair();
    const target = await into();
    await writeFile(join(target, 'a file.bin'), 'mine');
    const incoming = offered(peers[1]);
    const outgoing = await peers[0].sendFile(await source());
    const offer = await incoming;
    expect(offer).toMatchObject({ name: 'a file.bin', lengthBytes: CONTENT.length });
    offer.accept(target);
    expect(await offer.ended).toEqual({ path: join(target, 'a file (2).bin') });
    expect(await outgoing.ended).toBeUndefined();
    expect(digest(await readFile(join(target, 'a file (2).bin')))).toBe(digest(CONTENT));
    expect(await readFile(join(target, 'a file.bin'), 'utf8')).toBe('mine');
    expect(await readdir(target)).toHaveLength(2);
  });

  it('arrive although the channel dies half-way', async () => {
    const pair = new Pair();
    const target = await into();
    const incoming = offered(pair.peers[1]);
    await pair.peers[0].sendFile(await source());
    const offer = await incoming;
    let renewed = 0;
    offer.onProgress = () => {
      if (offer.receivedBytes < (renewed + 1) * 1_500_000) return;
      renewed += 1;
      pair.peers[renewed % 2]!.renew();
    };
    offer.accept(target);
    expect(await offer.ended).toEqual({ path: join(target, 'a file.bin') });
    expect(renewed).toBeGreaterThan(1);
    expect(digest(await readFile(join(target, 'a file.bin')))).toBe(digest(CONTENT));
  });

  it('go on from what an earlier member has left', async () => {
    const target = await into();
    const path = await source();
    const first = new Pair();
    const incoming = offered(first.peers[1]);
    await first.peers[0].sendFile(path);
    const offer = await incoming;
    offer.onProgress = () => {
      if (offer.receivedBytes > 2_000_000) first.peers[1].close();
    };
    offer.accept(target);
    expect(await offer.ended).toMatchObject({ reason: 'cancelled' });
    expect(await readdir(target)).toEqual([PARTS_FOLDER]);

    const second = new Pair();
    const again = offered(second.peers[1]);
    await second.peers[0].sendFile(path);
    const resumed = await again;
    let least = Number.POSITIVE_INFINITY;
    resumed.onProgress = () => {
      least = Math.min(least, resumed.receivedBytes);
    };
    resumed.accept(target);
    expect(await resumed.ended).toEqual({ path: join(target, 'a file.bin') });
    expect(least).toBeGreaterThan(2_000_000);
    expect(digest(await readFile(join(target, 'a file.bin')))).toBe(digest(CONTENT));
    expect(await readdir(target)).toHaveLength(1);
  });

  it('are refused where nobody takes them, and when the folder is none', async () => {
    const { peers } = new Pair();
    const path = await source();
    expect(await (await peers[0].sendFile(path)).ended).toBe('unsupported');
    const incoming = offered(peers[1]);
    const outgoing = await peers[0].sendFile(path);
    const offer = await incoming;
    offer.accept(join(folder, 'nowhere'));
    expect(await offer.ended).toMatchObject({
      reason: 'cannot-write',
      cause: { code: 'ENOENT' },
    });
    expect(await outgoing.ended).toBe('cannot-write');
  });

  it('let talk pass', async () => {
    const { peers } = new Pair();
    const target = await into();
    const incoming = offered(peers[1]);
    await peers[0].sendFile(await source());
    const offer = await incoming;
    offer.accept(target);
    await peers[0].send('meanwhile');
    expect(await read(peers[1], 1)).toEqual(['meanwhile']);
    await offer.ended;
  });

  it('throw what the file system says of what is no file', async () => {
    const { peers } = new Pair();
    await expect(peers[0].sendFile(folder)).rejects.toMatchObject({ code: 'EISDIR' });
    await expect(peers[0].sendFile(join(folder, 'x'))).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
