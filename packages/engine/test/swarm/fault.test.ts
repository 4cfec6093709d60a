// Whatever goes wrong with one peer ends its connection and no other.

import { encodeHandshake, type WireHandler } from '@bt/wire';
import { describe, expect, it } from 'vitest';
import type { TorrentEvent } from '../../src/index.ts';
import { MAX_EARLY_BYTES } from '../../src/limits.ts';
import type { Peer } from '../../src/peer.ts';
import { Presence } from '../../src/presence.ts';
import { RateLimit } from '../../src/rate-limit.ts';
import type { Exchange } from '../../src/swarm/exchange.ts';
import { BareTransport } from '../support/bare-torrent.ts';

const infoHash = new Uint8Array(20).fill(1);
const keepAlive = new Uint8Array(4);

function begin(faulty: Partial<Exchange>) {
  const presence = new Presence({
    now: 0,
    infoHash,
    peerId: new Uint8Array(20),
    listenPort: 6881,
    random: () => 0.5,
    maxPeers: 50,
    upLimit: new RateLimit(),
  });
  const exchange: Exchange = {
    isDone: false,
    isUploadOnly: false,
    admit: (peer) => ({
      onHandshake: (handshake) => presence.swarm.handshakeDone(peer, handshake),
    }),
    greet: () => {},
    extendedHandshake: () => {},
    metadataAnswered: () => {},
    uploadOnlyChanged: () => {},
    attend: () => {},
    watch: () => {},
    tick: () => {},
    leave: () => {},
    ...faulty,
  };
  presence.swarm.use(exchange);
  const connect = (last: number, id = last): { peer: Peer; transport: BareTransport } => {
    const endpoint = { address: `10.0.0.${last}`, port: 6881 };
    presence.addCandidates([endpoint], 'tracker', false);
    const transport = new BareTransport();
    const peer = presence.swarm.add(transport, { endpoint, direction: 'out' })!;
    const peerId = new Uint8Array(20).fill(id);
    presence.swarm.handleBytes(peer, encodeHandshake({ infoHash, peerId, features: {} }));
    return { peer, transport };
  };
  const events = (): TorrentEvent[] => {
    const events: TorrentEvent[] = [];
    for (;;) {
      const effect = presence.poll();
      if (effect === undefined) return events;
      if (effect.type === 'event') events.push(effect.event);
    }
  };
  return { presence, connect, events, exchange };
}

function broken(): never {
  throw new Error('a fault of ours');
}

const isSecond = (peer: Peer) => peer.endpoint.address === '10.0.0.2';

describe('an error of ours', () => {
  it('while a peer is attended to ends its connection alone', () => {
    let isBroken = false;
    const attend = (peer: Peer) => isBroken && isSecond(peer) && broken();
    const { presence, connect, events } = begin({ attend });
    const [one, two] = [connect(1), connect(2)];
    isBroken = true;
    for (const { peer } of [two, one]) presence.swarm.handleBytes(peer, keepAlive);
    expect([one, two].map(({ transport }) => transport.isClosed)).toEqual([false, true]);
    expect(events().filter(({ type }) => type === 'warning')).toHaveLength(1);
  });

  it('while it is watched ends its connection alone, and the others are watched', () => {
    const watched: string[] = [];
    const watch = (peer: Peer) => {
      watched.push(peer.endpoint.address);
      if (isSecond(peer)) broken();
    };
    const { presence, connect } = begin({ watch });
    const all = [connect(1), connect(2), connect(3)];
    presence.swarm.tick();
    expect(watched).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3']);
    expect(all.map(({ transport }) => transport.isClosed)).toEqual([false, true, false]);
  });

  it('while all are seen to is told, and ends nothing', () => {
    const { presence, connect, events } = begin({ tick: broken });
    const { transport } = connect(1);
    presence.swarm.tick();
    expect(transport.isClosed).toBe(false);
    expect(events().at(-1)).toMatchObject({ type: 'warning' });
  });
});

describe('what peers tell of their pieces before the metadata is there', () => {
  it('is kept as far as there is room for all of them together', () => {
    const told = new Set<Peer>();
    const handlerOf = (peer: Peer): WireHandler => ({
      onHandshake: (handshake) => presence.swarm.handshakeDone(peer, handshake),
      onBitfield: () => told.add(peer),
    });
    const { presence, connect, exchange } = begin({ admit: handlerOf });
    const pieceCount = 2_000_000;
    const bitfield = new Uint8Array(5 + pieceCount / 8).fill(0xff);
    bitfield.set([0, 0x03, 0xd0, 0x91, 5]);
    for (let last = 1; last <= 40; last += 1) {
      presence.swarm.handleBytes(connect(last).peer, bitfield);
    }
    const pieces = { pieceCount, pieceLength: 16_384 };
    presence.swarm.use({ ...exchange, pieces });
    expect(presence.peers.size).toBe(40);
    expect(told.size).toBe(Math.floor(MAX_EARLY_BYTES / (pieceCount / 8)));
  });
});

describe('a banned peer id', () => {
  it('is known behind an address that was dialled, by its handshake', () => {
    const { presence, connect, events } = begin({});
    const liar = connect(1, 7);
    presence.swarm.ban(liar.peer.identity);
    events();
    // It listens at another port now.
    const endpoint = { address: '10.0.0.1', port: 7000 };
    presence.addCandidates([endpoint], 'tracker', false);
    const transport = new BareTransport();
    const again = presence.swarm.add(transport, { endpoint, direction: 'out' })!;
    expect(again).toBeDefined();
    const peerId = new Uint8Array(20).fill(7);
    presence.swarm.handleBytes(again, encodeHandshake({ infoHash, peerId, features: {} }));
    expect(transport.isClosed).toBe(true);
    expect(events()).toContainEqual(
      expect.objectContaining({ type: 'peer-closed', reason: 'banned' }),
    );
    // Its id proves nothing elsewhere.
    expect(connect(2, 7).transport.isClosed).toBe(false);
  });
});
