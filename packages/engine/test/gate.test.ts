import { describe, expect, it } from 'vitest';
import { HANDSHAKE_TIMEOUT_MS, IDLE_TIMEOUT_MS } from '../src/limits.ts';
import {
  type BareConnection,
  BareTorrent,
  BareTransport,
  message,
  PIECE,
} from './support/bare-torrent.ts';

const PIECE_BYTES = 65_536;
const BLOCK_BYTES = 16_384;
const sender = { address: '10.0.0.1', port: 6881 };
const quiet = { address: '10.0.0.2', port: 6881 };

/** A torrent whose disk says nothing of the piece that fills its memory. */
function shut() {
  const bare = new BareTorrent({ bufferBytes: PIECE_BYTES });
  const seed = bare.connect(sender, 'seed');
  const other = bare.connect(quiet, 'quiet');
  bare.receive(seed, Buffer.concat([message(14), message(1)]));
  const asked = requestsOf(seed);
  const first = asked[0]![0];
  for (const [piece, offset] of asked.filter(([piece]) => piece === first)) {
    sendBlock(bare, seed, piece, offset);
  }
  expect(other.transport.isPaused).toBe(true);
  return { bare, seed, other };
}

function requestsOf({ peer }: BareConnection): [piece: number, offset: number][] {
  const found: [number, number][] = [];
  peer.requests.forEach((piece, offset) => {
    found.push([piece, offset]);
  });
  return found;
}

function sendBlock(bare: BareTorrent, from: BareConnection, piece: number, offset: number): void {
  const header = message(PIECE, piece, offset);
  new DataView(header.buffer, header.byteOffset).setUint32(0, 9 + BLOCK_BYTES);
  const at = piece * PIECE_BYTES + offset;
  const block = bare.content.bytes.subarray(at, at + BLOCK_BYTES);
  bare.receive(from, Buffer.concat([header, block]));
}

describe('while a slow disk keeps peers from being read', () => {
  it('nobody is called idle, and the time of silence goes on afterwards', () => {
    const { bare, seed, other } = shut();
    bare.runTo(3 * IDLE_TIMEOUT_MS);
    expect(bare.closeReasons()).toEqual([]);
    bare.torrent.handleBufferReturned(bare.now, new ArrayBuffer(PIECE_BYTES));
    expect(other.transport.isPaused).toBe(false);
    bare.runTo(4 * IDLE_TIMEOUT_MS - 1000);
    bare.receive(seed, message(1));
    expect(bare.closeReasons()).toEqual([]);
    bare.runTo(4 * IDLE_TIMEOUT_MS + 1000);
    expect(bare.closeReasons()).toEqual(['idle']);
    expect(other.transport.isClosed).toBe(true);
  });

  it('no request is given up', () => {
    const { bare, seed } = shut();
    const waiting = requestsOf(seed);
    expect(waiting.length).toBeGreaterThan(0);
    bare.runTo(2 * IDLE_TIMEOUT_MS);
    expect(requestsOf(seed)).toEqual(waiting);
  });

  it('a peer that has yet to greet has its ten seconds and is read', () => {
    const { bare } = shut();
    const transport = new BareTransport();
    const dialled = { endpoint: { address: '10.0.0.3', port: 6881 }, direction: 'out' } as const;
    bare.torrent.addPeer(bare.now, transport, dialled);
    expect(transport.isPaused).toBe(false);
    bare.runTo(HANDSHAKE_TIMEOUT_MS + 1000);
    expect(bare.closeReasons()).toEqual(['handshake-timeout']);
    const greeted = bare.connect({ address: '10.0.0.4', port: 6881 }, 'greets', 'out');
    expect(greeted.transport.isPaused).toBe(true);
  });
});
