import { describe, expect, it } from 'vitest';
import { RateLimit } from '../src/index.ts';
import {
  MAX_BLOCKS_IN_SOCKET,
  MAX_EXCESS_REQUESTS,
  MAX_OUTPUT_BYTES,
  MAX_QUEUED_UPLOADS,
  MAX_READS_PER_PEER,
  MAX_REQUEST_BYTES,
  MAX_SEND_QUEUE_BYTES,
  OUTPUT_TIMEOUT_MS,
} from '../src/limits.ts';
import { BareTorrent, message, REQUEST, repeat } from './support/bare-torrent.ts';
import { makeContent, makeHollowContent } from './support/content.ts';

const there = { address: '10.0.0.9', port: 4000 };
const request = message(REQUEST, 0, 0, 16_384);
const have = Uint8Array.of(0xf0);

describe('a peer that asks and is refused', () => {
  it('is closed when it goes on while it is choked', () => {
    const bare = new BareTorrent({ have });
    const connection = bare.connect(there, 'flooder');
    bare.receive(connection, repeat(request, MAX_EXCESS_REQUESTS));
    expect(connection.transport.isClosed).toBe(false);
    bare.receive(connection, request);
    expect(bare.closeReasons()).toEqual(['request-flood']);
  });

  it('may be choked with a full queue again and again', () => {
    const bare = new BareTorrent({ have });
    const connection = bare.connect(there, 'honest');
    for (let round = 0; round < 10; round += 1) {
      bare.receive(connection, repeat(request, MAX_QUEUED_UPLOADS));
      bare.receive(connection, message(2));
      bare.runTo(bare.now + 11_000);
      expect(connection.peer.session.amChoking).toBe(false);
      connection.transport.queuedBytes = 0;
      bare.receive(connection, message(3));
      bare.runTo(bare.now + 11_000);
      expect(connection.peer.session.amChoking).toBe(true);
    }
    expect(bare.closeReasons()).toEqual([]);
  });
});

describe('a peer that we serve', () => {
  /** Its requests go to a disk that doesn't answer. */
  function served() {
    const bare = new BareTorrent({ have, content: makeContent(4 * 262_144, 262_144) });
    bare.disk.readBlock = () => undefined;
    const connection = bare.connect(there, 'leecher');
    bare.receive(connection, message(2));
    bare.runTo(11_000);
    expect(connection.peer.session.amChoking).toBe(false);
    return { bare, connection, peer: connection.peer };
  }

  it('has a bounded number of requests waiting, and of reads', () => {
    const { bare, connection, peer } = served();
    const small = message(REQUEST, 0, 0, 1000);
    bare.receive(connection, repeat(small, MAX_READS_PER_PEER + MAX_QUEUED_UPLOADS));
    // All came in one chunk, before anything was read.
    expect(peer.excessRequests).toBe(MAX_READS_PER_PEER);
    expect(peer.readsPending).toBe(MAX_READS_PER_PEER);
    expect(peer.uploads.length).toBe(MAX_QUEUED_UPLOADS - MAX_READS_PER_PEER);
    expect(bare.closeReasons()).toEqual([]);
  });

  it('has a bounded number of bytes under way to it', () => {
    const { bare, connection, peer } = served();
    bare.receive(connection, repeat(message(REQUEST, 0, 0, MAX_REQUEST_BYTES), 100));
    expect(peer.readsPending * MAX_REQUEST_BYTES).toBe(MAX_SEND_QUEUE_BYTES);
  });

  it('may ask for a large block and is closed for a larger one', () => {
    const { bare, connection } = served();
    bare.receive(connection, message(REQUEST, 0, 0, MAX_REQUEST_BYTES));
    expect(bare.closeReasons()).toEqual([]);
    bare.receive(connection, message(REQUEST, 0, 0, MAX_REQUEST_BYTES + 1));
    expect(connection.transport.isClosed).toBe(true);
  });
});

describe('what the socket of a peer holds that does not read', () => {
  const CHUNK = 262_144;
  const CHUNKS = 64;

  /** The disk answers with views on chunks of its own, as a read-ahead does; `held` is what the socket keeps of them. */
  function deaf() {
    const content = makeHollowContent(CHUNKS * CHUNK, CHUNK);
    const bare = new BareTorrent({ have: new Uint8Array(CHUNKS / 8).fill(0xff), content });
    const chunks = new Map<number, Uint8Array>();
    bare.disk.readBlock = (piece, offset, length) => {
      const chunk = chunks.get(piece) ?? new Uint8Array(CHUNK);
      chunks.set(piece, chunk);
      return chunk.subarray(offset, offset + length);
    };
    const connection = bare.connect(there, 'deaf');
    const held = new Set<ArrayBufferLike>();
    let blocks = 0;
    connection.transport.sendBlock = (header, block) => {
      blocks += 1;
      held.add(block.buffer);
      connection.transport.queuedBytes += header.length + block.length;
    };
    bare.receive(connection, message(2));
    bare.runTo(11_000);
    connection.transport.queuedBytes = 0;
    const heldBytes = () => [...held].reduce((sum, { byteLength }) => sum + byteLength, 0);
    return { bare, connection, heldBytes, blocks: () => blocks };
  }

  it('is little more than the bytes of small blocks, and not the chunks that they were read in', () => {
    const { bare, connection, heldBytes, blocks } = deaf();
    for (let piece = 0; piece < CHUNKS; piece += 1) {
      bare.receive(connection, message(REQUEST, piece, 0, 1));
    }
    expect(blocks()).toBe(CHUNKS);
    expect(heldBytes()).toBe(CHUNKS);
  });

  it('is of whole blocks sixteen times their bytes at most', () => {
    const { bare, connection, heldBytes } = deaf();
    for (let piece = 0; piece < CHUNKS; piece += 1) {
      bare.receive(connection, message(REQUEST, piece, 0, 16_384));
    }
    expect(heldBytes()).toBeLessThanOrEqual(16 * MAX_SEND_QUEUE_BYTES);
  });

  it('is a bounded number of blocks, and the rest follows when it reads again', () => {
    const { bare, connection, blocks } = deaf();
    bare.receive(connection, repeat(message(REQUEST, 0, 0, 1), 3 * MAX_BLOCKS_IN_SOCKET));
    expect(blocks()).toBe(MAX_BLOCKS_IN_SOCKET);
    // So few bytes may leave without the transport's saying that it can take more.
    connection.transport.queuedBytes = 0;
    bare.runTo(bare.now + 1000);
    expect(blocks()).toBe(2 * MAX_BLOCKS_IN_SOCKET);
  });
});

describe('a peer that does not take what it is sent', () => {
  function overfull(bare: BareTorrent) {
    const connection = bare.connect(there, 'deaf');
    const { transport } = connection;
    transport.isDeaf = true;
    transport.queuedBytes = MAX_OUTPUT_BYTES;
    expect(transport.isPaused).toBe(false);
    bare.receive(connection, request);
    expect(transport.isPaused).toBe(true);
    return connection;
  }

  it('is not read until it has taken it', () => {
    const bare = new BareTorrent({ have });
    const { peer, transport } = overfull(bare);
    transport.isDeaf = false;
    transport.queuedBytes = 0;
    bare.torrent.handleWritable(bare.now, peer);
    expect(transport.isPaused).toBe(false);
    bare.runTo(2 * OUTPUT_TIMEOUT_MS);
    expect(transport.isClosed).toBe(false);
  });

  it('is closed when it goes on so', () => {
    const bare = new BareTorrent({ have });
    const { transport } = overfull(bare);
    bare.runTo(OUTPUT_TIMEOUT_MS - 1000);
    expect(transport.isClosed).toBe(false);
    bare.runTo(OUTPUT_TIMEOUT_MS + 1000);
    expect(bare.closeReasons()).toEqual(['not-reading']);
  });

  it('is closed as well when little waits and nothing of it moves', () => {
    const bare = new BareTorrent({ have });
    const { transport } = bare.connect(there, 'deaf');
    bare.runTo(1000);
    transport.queuedBytes = 100;
    bare.runTo(OUTPUT_TIMEOUT_MS);
    expect(transport.isClosed).toBe(false);
    bare.runTo(OUTPUT_TIMEOUT_MS + 2000);
    expect(bare.closeReasons()).toEqual(['not-reading']);
  });

  it('stays while some of it moves, however slowly', () => {
    const bare = new BareTorrent({ have });
    const connection = bare.connect(there, 'slow');
    const { transport } = connection;
    transport.isDeaf = true;
    transport.queuedBytes = 10_000;
    for (let round = 0; round < 10; round += 1) {
      bare.runTo(bare.now + OUTPUT_TIMEOUT_MS / 2);
      // As much has been added as was taken.
      const before = transport.queuedBytes;
      bare.receive(connection, request);
      transport.queuedBytes = before;
    }
    expect(bare.closeReasons()).toEqual([]);
  });

  it('stays unread while the download limit keeps everybody from being read', () => {
    const bare = new BareTorrent({ have, downLimit: new RateLimit(100) });
    const { peer, transport } = overfull(bare);
    bare.receive({ peer, transport }, repeat(request, 1000));
    transport.queuedBytes = 0;
    bare.torrent.handleWritable(bare.now, peer);
    expect(transport.isPaused).toBe(true);
    bare.runTo(bare.torrent.deadline() + 300_000);
    expect(transport.isPaused).toBe(false);
  });

  it('stays unread when the download limit has opened and its output still waits', () => {
    const bare = new BareTorrent({ have, downLimit: new RateLimit(10_000) });
    const connection = overfull(bare);
    bare.receive(connection, repeat(request, 5000));
    bare.runTo(30_000);
    expect(connection.transport.isPaused).toBe(true);
    expect(connection.transport.isClosed).toBe(false);
  });
});
