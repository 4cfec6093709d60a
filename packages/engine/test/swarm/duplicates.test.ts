import { describe, expect, it } from 'vitest';
import { DUPLICATE_TIMEOUT_MS, SILENT_PEER_MS } from '../../src/limits.ts';
import { BareTorrent, BareTransport, message } from '../support/bare-torrent.ts';
import { makeContent } from '../support/content.ts';
import { SimSwarm } from '../support/sim-swarm.ts';

const home = { address: '10.0.0.1', port: 6881 };
// Ours begins with a hyphen. The end with the smaller id closes one of two connections.
const LARGER_ID = 'zz';
const SMALLER_ID = '!!';
/** Not where it listens. */
const SOURCE_PORT = 40_000;
const fromHome = { ...home, port: SOURCE_PORT };
const keepAlive = new Uint8Array(4);

function dials(bare: BareTorrent): number {
  return bare.effects().filter(({ type }) => type === 'dial').length;
}

describe.each([
  ['10.0.0.1', '10.0.0.2', LARGER_ID],
  ['10.0.0.1', '10.0.0.2', SMALLER_ID],
  ['2a00:1450:4001:81a::1', '2a00:1450:4001:81a::2', LARGER_ID],
  ['2a00:1450:4001:81a::1', '2a00:1450:4001:81a::2', SMALLER_ID],
])('two connections of %s (or of %s) with the peer id %s', (homeAddress, otherAddress, id) => {
  const home = { address: homeAddress, port: 6881 };
  const other = { address: otherAddress, port: 6881 };
  const fromHome = { ...home, port: SOURCE_PORT };

  it('from two addresses leave each other alone', () => {
    const bare = new BareTorrent();
    const honest = bare.connect(home, id, 'out');
    const liar = bare.connect(other, id, 'in');
    bare.runTo(2 * DUPLICATE_TIMEOUT_MS);
    expect(honest.transport.isClosed).toBe(false);
    expect(liar.transport.isClosed).toBe(false);
    expect(bare.closeReasons()).toEqual([]);
  });

  it.each([
    ['in', 'in'],
    ['in', 'out'],
    ['out', 'in'],
    ['out', 'out'],
  ] as const)('from one address become the older one (%s, %s)', (first, second) => {
    const bare = new BareTorrent();
    const older = bare.connect(fromHome, id, first);
    const newer = bare.tryConnect(home, id, second);
    bare.runTo(DUPLICATE_TIMEOUT_MS + 1000);
    expect(bare.closeReasons()).toEqual(['duplicate']);
    expect(newer?.transport.isClosed ?? true).toBe(true);
    expect(older.transport.isClosed).toBe(false);
  });

  it('become the newer one when the older one has been silent for too long', () => {
    const bare = new BareTorrent();
    const older = bare.connect(fromHome, id, 'in');
    bare.runTo(SILENT_PEER_MS - 1000);
    expect(bare.tryConnect(home, 'somebody', 'in')).toBeDefined();
    expect(older.transport.isClosed).toBe(false);
    bare.runTo(SILENT_PEER_MS);
    const newer = bare.connect(home, id, 'in');
    expect(older.transport.isClosed).toBe(true);
    bare.receive(newer, keepAlive);
    bare.runTo(SILENT_PEER_MS + 2 * DUPLICATE_TIMEOUT_MS);
    expect(bare.closeReasons()).toEqual(['duplicate']);
    expect(newer.transport.isClosed).toBe(false);
  });

  it('are one when the other end closes the older one', () => {
    const bare = new BareTorrent();
    const older = bare.connect(fromHome, id, 'in');
    const newer = bare.tryConnect(home, id, 'out');
    bare.torrent.handleClosed(bare.now, older.peer);
    bare.runTo(2 * DUPLICATE_TIMEOUT_MS);
    // Ours to close: it was closed before that was known.
    expect(newer?.transport.isClosed).toBe(id === LARGER_ID);
  });
});

describe('an address that was dialled for a second connection', () => {
  it('is not dialled again while the one that stays is there', () => {
    const bare = new BareTorrent();
    const inbound = bare.connect(fromHome, LARGER_ID, 'in');
    bare.torrent.handleCandidates(0, [home], 'tracker', true);
    expect(dials(bare)).toBe(1);
    const outbound = bare.connect(home, LARGER_ID, 'out');
    expect(outbound.transport.isClosed).toBe(true);
    expect(bare.closeReasons()).toEqual(['duplicate']);
    bare.torrent.handleCandidates(0, [home], 'tracker', true);
    bare.runTo(60_000);
    expect(dials(bare)).toBe(0);
    bare.torrent.handleClosed(bare.now, inbound.peer);
    bare.runTo(120_000);
    bare.torrent.handleTimeout(bare.now);
    expect(dials(bare)).toBe(1);
  });

  it('has not failed when the other end closes it, after its handshake', () => {
    const bare = new BareTorrent();
    const inbound = bare.connect(fromHome, SMALLER_ID, 'in');
    bare.torrent.handleCandidates(0, [home], 'tracker', true);
    expect(dials(bare)).toBe(1);
    const outbound = bare.connect(home, SMALLER_ID, 'out');
    const { candidate } = outbound.peer;
    bare.torrent.handleClosed(bare.now, outbound.peer);
    expect(candidate).toMatchObject({ state: 'connected', failures: 0 });
    expect(inbound.peer.candidate).toBe(candidate);
    bare.runTo(60_000);
    expect(dials(bare)).toBe(0);
  });

  it('has not failed when the other end closes it without a word, and names that port as its own', () => {
    const bare = new BareTorrent();
    const inbound = bare.connect(fromHome, SMALLER_ID, 'in');
    const listensAt = Buffer.concat([Uint8Array.of(0), Buffer.from('d1:pi6881ee')]);
    const extended = message(20);
    new DataView(extended.buffer, extended.byteOffset).setUint32(0, 1 + listensAt.length);
    bare.torrent.handleCandidates(0, [home, { ...home, port: 7000 }], 'tracker', true);
    expect(dials(bare)).toBe(2);
    bare.receive(inbound, Buffer.concat([extended, listensAt]));
    const dial = (endpoint: typeof home) =>
      bare.torrent.addPeer(0, new BareTransport(), { endpoint, direction: 'out' })!;
    const [same, neighbour] = [dial(home), dial({ ...home, port: 7000 })];
    for (const peer of [same, neighbour]) bare.torrent.handleClosed(bare.now, peer);
    expect(same.candidate).toMatchObject({ state: 'connected', failures: 0 });
    expect(neighbour.candidate).toMatchObject({ state: 'idle', failures: 1 });
  });
});

describe('two honest peers that dial each other', () => {
  const content = makeContent(65_536, 65_536);

  it.each([1, 2, 3, 4])('keep the same connection, whenever they do so (seed %i)', (seed) => {
    for (let gapMs = 0; gapMs <= 400; gapMs += 10) {
      const swarm = new SimSwarm(content, { seed });
      const options = { announces: false, latencyMs: 50 };
      const [a, b] = [swarm.addNode(options).start(), swarm.addNode(options).start()];
      a.connectTo(b);
      swarm.clock.runUntil(gapMs);
      b.connectTo(a);
      swarm.clock.runUntil(120_000);
      for (const node of [a, b]) {
        const closed = node.events.filter(({ type }) => type === 'peer-closed');
        expect(closed.length, `gap ${gapMs}`).toBeLessThanOrEqual(1);
        expect(node.stats.peersConnected, `gap ${gapMs}`).toBe(1);
        expect(node.host.streams.length, `gap ${gapMs}`).toBe(1);
      }
    }
  });
});
