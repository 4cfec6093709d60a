import { describe, expect, it } from 'vitest';
import {
  DEFAULT_PEER_REQQ,
  LAPSED_REQUEST_MS,
  MAX_LAPSED_REQUESTS,
  MAX_REQUESTS_PER_PEER,
  MAX_REQUESTS_PER_TORRENT,
  MAX_UNREQUESTED_BLOCKS,
  REQUEST_TIMEOUT_MS,
} from '../src/limits.ts';
import {
  type BareConnection,
  BareTorrent,
  HAVE_ALL,
  message,
  UNCHOKE,
} from './support/bare-torrent.ts';
import { makeHollowContent } from './support/content.ts';

const MiB = 1024 * 1024;
const CHOKE = 0;
const BLOCK_BYTES = 16_384;

function addressOf(index: number) {
  return { address: `10.0.0.${index + 1}`, port: 6881 };
}

/** A seed as if it had answered often and ever faster; `reqq` is what it says it takes. */
function connectFast(bare: BareTorrent, index: number, reqq?: number): BareConnection {
  const connection = bare.connect(addressOf(index), `seed${index}`);
  const { pipeline, down } = connection.peer;
  bare.receive(connection, message(UNCHOKE));
  if (reqq !== undefined) pipeline.peerLimit = reqq;
  for (let block = 0; block < 3000; block += 1) pipeline.onBlock(bare.now, 10, down);
  bare.receive(connection, message(HAVE_ALL));
  return connection;
}

describe('requests in flight', () => {
  const content = makeHollowContent(512 * MiB, 16 * MiB);

  it('are to one peer as many as it takes', () => {
    const bare = new BareTorrent({ content });
    expect(connectFast(bare, 0).peer.requests.length).toBe(DEFAULT_PEER_REQQ);
    expect(connectFast(bare, 1, 777).peer.requests.length).toBe(777);
    expect(connectFast(bare, 2, 100_000).peer.requests.length).toBe(MAX_REQUESTS_PER_PEER);
  });

  it('are bounded for a torrent, but for a few to each peer', () => {
    const bare = new BareTorrent({ content });
    const peers = [0, 1, 2, 3].map((index) => connectFast(bare, index, 100_000).peer);
    expect(MAX_REQUESTS_PER_TORRENT).toBe(2 * MAX_REQUESTS_PER_PEER + 96);
    expect(peers.map(({ requests }) => requests.length)).toEqual([2000, 2000, 96, 16]);
  });
});

describe('a request without an answer', () => {
  it('is free for others after its time, and twice that while blocks come', () => {
    const bare = new BareTorrent();
    const silent = bare.connectSeed(addressOf(0), 'silent');
    const asked = bare.asked(silent);
    bare.runTo(REQUEST_TIMEOUT_MS);
    expect(bare.asked(silent)).toEqual(asked);
    bare.runTo(REQUEST_TIMEOUT_MS + 1000);
    expect(bare.asked(silent)).toEqual([]);

    const slow = bare.connectSeed(addressOf(1), 'slow');
    const [oldest, ...later] = bare.asked(slow);
    const startMs = bare.now;
    for (const seconds of [20, 40]) {
      bare.runTo(startMs + seconds * 1000);
      bare.receiveBlock(slow, ...later.shift()!);
    }
    bare.runTo(startMs + 2 * REQUEST_TIMEOUT_MS - 1000);
    expect(slow.peer.lapsed.has(...oldest!)).toBe(false);
    bare.runTo(startMs + 2 * REQUEST_TIMEOUT_MS + 1000);
    expect(slow.peer.lapsed.has(...oldest!)).toBe(true);
  });

  it('may be answered for two minutes after it was given up', () => {
    const bare = new BareTorrent();
    const late = bare.connectSeed(addressOf(0), 'late');
    const [first, second] = bare.asked(late);
    bare.receive(late, message(CHOKE));
    expect(bare.asked(late)).toEqual([]);
    bare.runTo(LAPSED_REQUEST_MS - 1000);
    bare.receiveBlock(late, ...first!);
    expect(late.peer.unrequestedBlocks).toBe(0);
    bare.runTo(LAPSED_REQUEST_MS + 1000);
    bare.receiveBlock(late, ...second!);
    expect(late.peer.unrequestedBlocks).toBe(1);
    expect(bare.torrent.stats(bare.now)).toMatchObject({ downloadedBytes: BLOCK_BYTES });
  });

  it('is remembered with a bounded number of others', () => {
    const { peer } = new BareTorrent().connect(addressOf(0), 'peer');
    for (let piece = 0; piece < 2 * MAX_LAPSED_REQUESTS; piece += 1) peer.lapsed.push(piece, 0, 0);
    expect(peer.lapsed.length).toBe(MAX_LAPSED_REQUESTS);
  });
});

describe('a peer that sends what nobody asked for', () => {
  it('is closed when it does so again and again', () => {
    const bare = new BareTorrent();
    const pusher = bare.connect(addressOf(0), 'pusher');
    for (let block = 0; block < MAX_UNREQUESTED_BLOCKS; block += 1) bare.receiveBlock(pusher, 0, 0);
    expect(bare.closeReasons()).toEqual([]);
    bare.receiveBlock(pusher, 0, 0);
    expect(bare.closeReasons()).toEqual(['unrequested-blocks']);
    expect(bare.torrent.stats(0)).toMatchObject({ downloadedBytes: 0, duplicateBytes: 0 });
  });
});
