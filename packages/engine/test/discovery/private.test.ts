// BEP 27: a private torrent has peers of its trackers, and of its user, and no others.

import {
  decodeExtendedHandshake,
  encodeExtendedHandshake,
  encodeHandshake,
  encodePex,
  HandshakeReader,
} from '@bt/wire';
import { describe, expect, it } from 'vitest';
import { EXTENDED_ID } from '../../src/extensions.ts';
import { PEX_PAUSE_MS } from '../../src/limits.ts';
import { Presence } from '../../src/presence.ts';
import { RateLimit } from '../../src/rate-limit.ts';
import type { TorrentEffect } from '../../src/torrent-options.ts';
import {
  type BareConnection,
  BareTorrent,
  BareTransport,
  extendedMessage,
  sentExtended,
  sentMessages,
} from '../support/bare-torrent.ts';
import { makeContent } from '../support/content.ts';

const PORT_MESSAGE = 9;
const here = { address: '1.1.1.1', port: 6881 };
const there = { address: '2.2.2.2', port: 6881 };
const secret = makeContent(65_536, 65_536, { isPrivate: true });
const open = makeContent(65_536, 65_536);

function torrentOf(content: typeof secret): BareTorrent {
  return new BareTorrent({ content, dhtPort: 6882 });
}

function dials(bare: BareTorrent): number {
  return bare.effects().filter(({ type }) => type === 'dial').length;
}

function lookups(bare: BareTorrent): number {
  return bare.effects().filter(({ type }) => type === 'dht-lookup').length;
}

/** What our extended handshake names. */
function offered(connection: BareConnection): string[] {
  const [handshake] = sentExtended(connection, 0);
  if (handshake === undefined) throw new Error('no extended handshake');
  return [...decodeExtendedHandshake(handshake).messages.keys()];
}

function offersDht({ transport }: BareConnection): boolean {
  return (transport.sent[0]![27]! & 1) !== 0;
}

describe.each([
  ['private', secret, 0],
  ['public', open, 1],
] as const)('a %s torrent', (_, content, expected) => {
  const isOpen = expected === 1;

  it(`asks the DHT: ${isOpen}`, () => {
    const bare = torrentOf(content);
    bare.torrent.start(0);
    expect(lookups(bare)).toBe(expected);
  });

  it(`says that it has a DHT node, and takes others' nodes: ${isOpen}`, () => {
    const bare = torrentOf(content);
    const peer = bare.connect(here, 'peer', 'in', { dht: true });
    expect(offersDht(peer)).toBe(isOpen);
    expect(sentMessages(peer).filter(({ id }) => id === PORT_MESSAGE)).toHaveLength(expected);
    bare.receive(peer, Uint8Array.of(0, 0, 0, 3, PORT_MESSAGE, 0x1a, 0xe1));
    const nodes = bare.effects().filter(({ type }) => type === 'dht-node');
    expect(nodes).toHaveLength(expected);
  });

  it(`offers peer exchange, tells and listens: ${isOpen}`, () => {
    const bare = torrentOf(content);
    const peer = bare.connect(here, 'peer', 'out');
    expect(offered(peer).includes('ut_pex')).toBe(isOpen);
    const handshake = encodeExtendedHandshake({ messages: new Map([['ut_pex', 7]]) });
    bare.receive(peer, extendedMessage(0, handshake));
    const payload = encodePex({ added: [{ ...there, flags: 0 }], dropped: [] });
    bare.receive(peer, extendedMessage(EXTENDED_ID.pex, payload));
    expect(dials(bare)).toBe(expected);
    bare.connect(there, 'there', 'out');
    bare.runTo(PEX_PAUSE_MS);
    expect(sentExtended(peer, 7)).toHaveLength(expected);
  });

  it.each(['dht', 'pex', 'lsd', 'magnet'] as const)(
    `dials peers of source %s: ${isOpen}`,
    (source) => {
      const bare = torrentOf(content);
      bare.torrent.handleCandidates(0, [here], source, false);
      expect(dials(bare)).toBe(expected);
    },
  );

  it(`dials a peer that came to it, when that has gone: ${isOpen}`, () => {
    const bare = torrentOf(content);
    const peer = bare.connect({ ...here, port: 40_000 }, 'peer', 'in');
    const handshake = encodeExtendedHandshake({ messages: new Map(), listenPort: here.port });
    bare.receive(peer, extendedMessage(0, handshake));
    expect(peer.transport.isClosed).toBe(false);
    bare.torrent.handleClosed(0, peer.peer);
    bare.runTo(60_000);
    expect(dials(bare)).toBe(expected);
  });

  it.each(['user', 'tracker'] as const)('dials peers of source %s', (source) => {
    const bare = torrentOf(content);
    bare.torrent.handleCandidates(0, [here], source, false);
    expect(dials(bare)).toBe(1);
  });
});

describe('a torrent that turns out to be private when its metadata comes', () => {
  function begin() {
    const presence = new Presence({
      now: 0,
      infoHash: open.info.infoHash,
      peerId: new Uint8Array(20),
      listenPort: 6881,
      random: () => 0.5,
      maxPeers: 50,
      dhtPort: 6882,
      upLimit: new RateLimit(),
    });
    presence.swarm.use({
      isDone: false,
      isUploadOnly: false,
      admit: () => ({}),
      greet: () => {},
      extendedHandshake: () => {},
      metadataAnswered: () => {},
      uploadOnlyChanged: () => {},
      attend: () => {},
      watch: () => {},
      tick: () => {},
      leave: () => {},
    });
    presence.start();
    presence.settle();
    const effects = () => {
      const effects: TorrentEffect[] = [];
      for (;;) {
        const effect = presence.poll();
        if (effect === undefined) return effects;
        effects.push(effect);
      }
    };
    return { presence, effects };
  }

  it('lets go of what it may not know, and looks no further', () => {
    const { presence, effects } = begin();
    const transports = { dht: new BareTransport(), tracker: new BareTransport() };
    presence.addCandidates([here], 'dht', false);
    presence.addCandidates([there], 'tracker', false);
    presence.addCandidates([{ ...there, port: 7000 }], 'pex', false);
    presence.swarm.add(transports.dht, { endpoint: here, direction: 'out' });
    presence.swarm.add(transports.tracker, { endpoint: there, direction: 'out' });
    presence.becomePrivate();
    expect(transports.dht.isClosed).toBe(true);
    expect(transports.tracker.isClosed).toBe(false);
    expect(presence.candidates.size).toBe(1);
    presence.addCandidates([here], 'dht', false);
    expect(presence.candidates.size).toBe(1);
    const events = effects().flatMap((effect) => (effect.type === 'event' ? [effect.event] : []));
    expect(events.map(({ type }) => type)).toContain('peer-closed');
    expect(presence.discovery.deadline()).toBe(Number.POSITIVE_INFINITY);
    expect(presence.discovery.exchange).toBeUndefined();
    expect(presence.discovery.poll()).toEqual({ type: 'dht-lookup-cancel' });
    expect(presence.discovery.poll()).toBeUndefined();
  });

  it('keeps those that have come to it, and does not dial them later', () => {
    const { presence, effects } = begin();
    const transport = new BareTransport();
    const reader = new HandshakeReader();
    const features = { extended: true };
    const peerId = new Uint8Array(20).fill(1);
    reader.handleBytes(encodeHandshake({ infoHash: open.info.infoHash, peerId, features }));
    const endpoint = { ...here, port: 40_000 };
    const added = { endpoint, direction: 'in', handshake: reader.handshake! } as const;
    const peer = presence.swarm.add(transport, added)!;
    const listening = encodeExtendedHandshake({ messages: new Map(), listenPort: here.port });
    presence.swarm.extended(peer, 0, listening);
    expect(presence.candidates.size).toBe(1);
    presence.becomePrivate();
    expect(transport.isClosed).toBe(false);
    expect(presence.candidates.size).toBe(0);
    presence.swarm.close(peer, 'stopped');
    presence.moment.now = 60_000;
    presence.settle();
    expect(effects().map(({ type }) => type)).not.toContain('dial');
  });

  it('takes back the question to the DHT that is under way', () => {
    const { presence, effects } = begin();
    expect(effects()).toContainEqual({ type: 'dht-lookup' });
    presence.becomePrivate();
    presence.settle();
    expect(effects()).toEqual([{ type: 'dht-lookup-cancel' }]);
  });

  it('takes back no question that was not asked, or is answered', () => {
    const { presence, effects } = begin();
    effects();
    presence.discovery.lookupEnded(0, false);
    presence.becomePrivate();
    presence.settle();
    expect(effects()).toEqual([]);
  });

  it.each([
    ['dht', false],
    ['pex', false],
    ['lsd', false],
    ['magnet', false],
    ['tracker', true],
    ['user', true],
  ] as const)('keeps a connection of source %s that was on its way: %s', (source, isKept) => {
    const { presence, effects } = begin();
    presence.addCandidates([here], source, false);
    presence.settle();
    expect(effects()).toContainEqual({ type: 'dial', endpoint: here });
    presence.becomePrivate();
    const transport = new BareTransport();
    const peer = presence.swarm.add(transport, { endpoint: here, direction: 'out' });
    expect(peer?.source).toBe(isKept ? source : undefined);
    expect(transport.sent.length > 0 || peer !== undefined).toBe(isKept);
  });
});
