import { describe, expect, it } from 'vitest';
import { HANDSHAKE_TIMEOUT_MS, IDLE_TIMEOUT_MS } from '../src/limits.ts';
import { BareTorrent, BareTransport, message, UNCHOKE } from './support/bare-torrent.ts';

const PIECE_BYTES = 65_536;
const sender = { address: '10.0.0.1', port: 6881 };
const quiet = { address: '10.0.0.2', port: 6881 };

/** A torrent whose disk says nothing of the piece that fills its memory. */
function shut() {
  const bare = new BareTorrent({ bufferBytes: PIECE_BYTES });
  const other = bare.connect(quiet, 'quiet');
  const seed = bare.connectSeed(sender, 'seed');
  const asked = bare.asked(seed);
  const first = asked[0]![0];
  for (const [piece, offset] of asked) if (piece === first) bare.receiveBlock(seed, piece, offset);
  expect(other.transport.isPaused).toBe(true);
  return { bare, seed, other };
}

describe('while a slow disk keeps peers from being read', () => {
  it('nobody is called idle, and the time of silence goes on afterwards', () => {
    const { bare, seed, other } = shut();
    bare.runTo(3 * IDLE_TIMEOUT_MS);
    expect(bare.closeReasons()).toEqual([]);
    bare.torrent.handleBufferReturned(bare.now, new ArrayBuffer(PIECE_BYTES));
    expect(other.transport.isPaused).toBe(false);
    bare.runTo(4 * IDLE_TIMEOUT_MS - 1000);
    bare.receive(seed, message(UNCHOKE));
    expect(bare.closeReasons()).toEqual([]);
    bare.runTo(4 * IDLE_TIMEOUT_MS + 1000);
    expect(bare.closeReasons()).toEqual(['idle']);
    expect(other.transport.isClosed).toBe(true);
  });

  it('no request is given up', () => {
    const { bare, seed } = shut();
    const waiting = bare.asked(seed);
    expect(waiting.length).toBeGreaterThan(0);
    bare.runTo(2 * IDLE_TIMEOUT_MS);
    expect(bare.asked(seed)).toEqual(waiting);
  });

  it('a peer that has yet to greet has its ten seconds and is read', () => {
    const { bare } = shut();
    const transport = new BareTransport();
    const dialled = { endpoint: { address: '10.0.0.3', port: 6881 }, direction: 'out' } as const;
    bare.know(dialled.endpoint);
    bare.torrent.addPeer(bare.now, transport, dialled);
    expect(transport.isPaused).toBe(false);
    bare.runTo(HANDSHAKE_TIMEOUT_MS + 1000);
    expect(bare.closeReasons()).toEqual(['handshake-timeout']);
    const greeted = bare.connect({ address: '10.0.0.4', port: 6881 }, 'greets', 'out');
    expect(greeted.transport.isPaused).toBe(true);
  });
});
