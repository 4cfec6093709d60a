import { describe, expect, it } from 'vitest';
import { RateLimit } from '../src/index.ts';
import {
  MAX_EXCESS_REQUESTS,
  MAX_OUTPUT_BYTES,
  MAX_QUEUED_UPLOADS,
  OUTPUT_TIMEOUT_MS,
} from '../src/limits.ts';
import { BareTorrent, message, REQUEST, repeat } from './support/bare-torrent.ts';

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

describe('a peer that does not take what it is sent', () => {
  function overfull(bare: BareTorrent) {
    const connection = bare.connect(there, 'deaf');
    const { transport } = connection;
    transport.queuedBytes = MAX_OUTPUT_BYTES;
    expect(transport.isPaused).toBe(false);
    bare.receive(connection, request);
    expect(transport.isPaused).toBe(true);
    return connection;
  }

  it('is not read until it has taken it', () => {
    const bare = new BareTorrent({ have });
    const { peer, transport } = overfull(bare);
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
