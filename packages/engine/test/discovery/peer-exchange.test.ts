import type { Endpoint } from '@bt/endpoint';
import {
  decodePex,
  encodeExtendedHandshake,
  encodePex,
  PEX_FLAG,
  PEX_INTERVAL_MS,
  type PexMessage,
} from '@bt/wire';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EXTENDED_ID } from '../../src/extensions.ts';
import { MAX_TOLD_PEERS, PEX_EARLY_MS, PEX_PAUSE_MS } from '../../src/limits.ts';
import {
  type BareConnection,
  BareTorrent,
  extendedMessage,
  message,
  sentExtended,
} from '../support/bare-torrent.ts';
import { makeContent } from '../support/content.ts';
import { SimSwarm } from '../support/sim-swarm.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
/** The id under which the peers of these tests take ut_pex. */
const THEIR_ID = 77;
const HAVE_NONE = 15;

const at = (address: string, port = 6881): Endpoint => ({ address, port });

interface Greeting {
  readonly listenPort?: number;
  readonly prefersEncryption?: boolean;
  readonly uploadOnly?: boolean;
  readonly direction?: 'in' | 'out';
}

/** A connected peer that takes part in the exchange. */
function join(bare: BareTorrent, endpoint: Endpoint, greeting: Greeting = {}): BareConnection {
  const { direction = 'out', ...said } = greeting;
  const id = `${endpoint.address}:${endpoint.port}`;
  const connection = bare.connect(endpoint, id, direction);
  const handshake = encodeExtendedHandshake({ messages: new Map([['ut_pex', THEIR_ID]]), ...said });
  bare.receive(connection, extendedMessage(0, handshake));
  bare.receive(connection, message(HAVE_NONE));
  return connection;
}

function hear(bare: BareTorrent, teller: BareConnection, added: readonly Endpoint[], flags = 0) {
  const peers = added.map((endpoint) => ({ ...endpoint, flags }));
  const payload = encodePex({ added: peers, dropped: [] });
  bare.receive(teller, extendedMessage(EXTENDED_ID.pex, payload));
}

function told(connection: BareConnection): PexMessage[] {
  const messages = sentExtended(connection, THEIR_ID);
  return messages.map((payload) => decodePex(payload, { tellerIsLoopback: true }));
}

function dialled(bare: BareTorrent): string[] {
  return bare
    .effects()
    .flatMap((effect) => (effect.type === 'dial' ? [effect.endpoint.address] : []));
}

describe('what a peer names', () => {
  it('is dialled', () => {
    const bare = new BareTorrent();
    hear(bare, join(bare, at('1.1.1.1')), [at('2.2.2.2'), at('2001:db8::1')]);
    expect(dialled(bare).sort()).toEqual(['2.2.2.2', '2001:db8::1']);
    expect(bare.torrent.stats(0).peerSources.pex).toEqual({ known: 2, connected: 0 });
  });

  it('is believed once a minute, with some seconds for jitter', () => {
    const bare = new BareTorrent();
    const teller = join(bare, at('1.1.1.1'));
    const other = join(bare, at('5.5.5.5'));
    hear(bare, teller, [at('2.2.2.2')]);
    hear(bare, teller, [at('3.3.3.3')]);
    bare.runTo(MINUTE - PEX_EARLY_MS - SECOND);
    hear(bare, teller, [at('3.3.3.3')]);
    expect(dialled(bare)).toEqual(['2.2.2.2']);
    expect(bare.torrent.stats(bare.now).exchangesIgnored).toBe(2);
    hear(bare, other, [at('4.4.4.4')]);
    bare.runTo(MINUTE - PEX_EARLY_MS);
    hear(bare, teller, [at('3.3.3.3')]);
    expect(dialled(bare)).toEqual(['4.4.4.4', '3.3.3.3']);
    expect(teller.transport.isClosed).toBe(false);
  });

  it('costs its sender nothing when it is malformed', () => {
    const bare = new BareTorrent();
    const teller = join(bare, at('1.1.1.1'));
    bare.receive(teller, extendedMessage(EXTENDED_ID.pex, Buffer.from('d5:added')));
    expect(bare.torrent.stats(0).exchangesIgnored).toBe(1);
    expect(teller.transport.isClosed).toBe(false);
  });

  it('may be any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (payload) => {
        const bare = new BareTorrent();
        const teller = join(bare, at('1.1.1.1'));
        bare.receive(teller, extendedMessage(EXTENDED_ID.pex, payload));
        expect(teller.transport.isClosed).toBe(false);
      }),
      { numRuns: 50 },
    );
  });

  it.each([
    ['1.1.1.1', '127.0.0.1', false],
    ['1.1.1.1', '10.0.0.9', false],
    ['1.1.1.1', '169.254.1.1', false],
    ['1.1.1.1', '100.64.0.1', false],
    ['1.1.1.1', 'fc00::1', false],
    ['1.1.1.1', '0.0.0.0', false],
    ['1.1.1.1', '224.0.0.1', false],
    ['10.0.0.1', '10.0.0.9', true],
    ['10.0.0.1', '127.0.0.1', false],
    ['10.0.0.1', '2.2.2.2', true],
    ['127.0.0.1', '127.0.0.2', true],
    ['127.0.0.1', '10.0.0.9', true],
  ])('from %s: %s is dialled: %s', (teller, named, isDialled) => {
    const bare = new BareTorrent();
    hear(bare, join(bare, at(teller)), [at(named)]);
    expect(dialled(bare)).toEqual(isDialled ? [named] : []);
  });

  it('is dialled at one port of a public address', () => {
    const bare = new BareTorrent();
    const ports = [at('2.2.2.2', 1), at('2.2.2.2', 2), at('10.0.0.3', 1), at('10.0.0.3', 2)];
    hear(bare, join(bare, at('10.0.0.1')), ports);
    expect(dialled(bare).sort()).toEqual(['10.0.0.3', '10.0.0.3', '2.2.2.2']);
  });

  it('as a seed is left alone by a seed, but not what it had known before', () => {
    const bare = new BareTorrent({ have: Uint8Array.of(0xf0) });
    const teller = join(bare, at('1.1.1.1'));
    hear(bare, teller, [at('2.2.2.2')], PEX_FLAG.seed);
    expect(dialled(bare)).toEqual([]);
    expect(bare.torrent.stats(0).peerSources.pex.known).toBe(1);
    bare.torrent.handleCandidates(0, [at('3.3.3.3')], 'tracker', false);
    expect(dialled(bare)).toEqual(['3.3.3.3']);
  });

  it.each(['tracker', 'dht', 'user'] as const)(
    'as a seed is dialled by a seed all the same when %s names it',
    (source) => {
      const bare = new BareTorrent({ have: Uint8Array.of(0xf0) });
      hear(bare, join(bare, at('1.1.1.1')), [at('2.2.2.2')], PEX_FLAG.seed);
      expect(dialled(bare)).toEqual([]);
      bare.torrent.handleCandidates(0, [at('2.2.2.2')], source, false);
      expect(dialled(bare)).toEqual(['2.2.2.2']);
      // Nor does it help to say so again.
      bare.torrent.handleDialFailed(0, at('2.2.2.2'), 'refused');
      bare.runTo(60_000);
      bare.torrent.handleTimeout(bare.now);
      expect(dialled(bare)).toContain('2.2.2.2');
    },
  );

  it('is nobody who is connected to us already', () => {
    const bare = new BareTorrent();
    join(bare, at('1.1.1.1', 40_000), { direction: 'in', listenPort: 6881 });
    hear(bare, join(bare, at('2.2.2.2')), [at('1.1.1.1', 6881)]);
    expect(dialled(bare)).toEqual([]);
  });
});

describe('what a peer is told', () => {
  it('are the others that we are connected to, with their flags, some seconds after it came', () => {
    const bare = new BareTorrent();
    const listener = join(bare, at('1.1.1.1'));
    join(bare, at('2.2.2.2'), { uploadOnly: true });
    join(bare, at('3.3.3.3', 40_000), {
      direction: 'in',
      listenPort: 7000,
      prefersEncryption: true,
    });
    join(bare, at('4.4.4.4', 40_000), { direction: 'in' });
    bare.runTo(PEX_PAUSE_MS - SECOND);
    expect(told(listener)).toEqual([]);
    bare.runTo(PEX_PAUSE_MS);
    expect(told(listener)).toEqual([
      {
        added: [
          { address: '2.2.2.2', port: 6881, flags: PEX_FLAG.seed | PEX_FLAG.reachable },
          { address: '3.3.3.3', port: 7000, flags: PEX_FLAG.prefersEncryption },
        ],
        dropped: [],
      },
    ]);
  });

  it('are changes, once a minute, and nothing when there are none', () => {
    const bare = new BareTorrent();
    const listener = join(bare, at('1.1.1.1'));
    const first = join(bare, at('2.2.2.2'));
    bare.runTo(PEX_PAUSE_MS);
    expect(told(listener)).toHaveLength(1);
    bare.torrent.handleClosed(bare.now, first.peer);
    join(bare, at('3.3.3.3'));
    bare.runTo(PEX_PAUSE_MS + PEX_INTERVAL_MS - SECOND);
    expect(told(listener)).toHaveLength(1);
    bare.runTo(PEX_PAUSE_MS + PEX_INTERVAL_MS);
    expect(told(listener)[1]).toMatchObject({
      added: [at('3.3.3.3')],
      dropped: [at('2.2.2.2')],
    });
    bare.runTo(2.5 * MINUTE);
    expect(told(listener)).toHaveLength(2);
  });

  it('is not that somebody went and came again', () => {
    const bare = new BareTorrent();
    const listener = join(bare, at('1.1.1.1'));
    const first = join(bare, at('2.2.2.2'));
    bare.runTo(PEX_PAUSE_MS);
    bare.torrent.handleClosed(bare.now, first.peer);
    join(bare, at('2.2.2.2'));
    bare.runTo(2 * MINUTE);
    expect(told(listener)).toHaveLength(1);
  });

  it('are 50 peers at most in a message, and a limited number in all', () => {
    const bare = new BareTorrent();
    const listener = join(bare, at('1.1.1.1'));
    const others = Array.from({ length: 260 }, (_, index) =>
      join(bare, at(`2.${index >> 8}.${index & 255}.1`)),
    );
    for (let minute = 1; minute <= 8; minute += 1) {
      for (const { peer } of others) peer.lastReceivedMs = bare.now;
      bare.receive(listener, new Uint8Array(4));
      bare.runTo(minute * MINUTE);
    }
    const counts = told(listener).map(({ added }) => added.length);
    expect(counts).toEqual([50, 50, 50, 50]);
    const names = told(listener).flatMap(({ added }) => added.map(({ address }) => address));
    expect(new Set(names).size).toBe(MAX_TOLD_PEERS);
    for (const { peer } of others) bare.torrent.handleClosed(bare.now, peer);
    for (let minute = 9; minute <= 14; minute += 1) {
      bare.receive(listener, new Uint8Array(4));
      bare.runTo(minute * MINUTE);
    }
    const dropped = told(listener).map((one) => one.dropped.length);
    expect(dropped).toEqual([0, 0, 0, 0, 50, 50, 50, 50]);
  });

  it('is nothing of our local network unless it is part of it', () => {
    const bare = new BareTorrent();
    const stranger = join(bare, at('1.1.1.1'));
    const neighbour = join(bare, at('10.0.0.1'));
    join(bare, at('10.0.0.2'));
    join(bare, at('127.0.0.1'));
    bare.runTo(PEX_PAUSE_MS);
    const names = (connection: BareConnection) =>
      told(connection).flatMap(({ added }) => added.map(({ address }) => address));
    expect(names(stranger)).toEqual([]);
    expect(names(neighbour).sort()).toEqual(['1.1.1.1', '10.0.0.2']);
  });

  it('is nothing when it has not asked, and nothing any more when it ends it (BEP 10, id 0)', () => {
    const bare = new BareTorrent();
    const silent = bare.connect(at('1.1.1.1'), 'silent', 'out');
    const ended = join(bare, at('3.3.3.3'));
    const end = encodeExtendedHandshake({ messages: new Map([['ut_pex', 0]]) });
    bare.receive(ended, extendedMessage(0, end));
    join(bare, at('2.2.2.2'));
    bare.runTo(MINUTE);
    expect(told(silent)).toEqual([]);
    expect(told(ended)).toEqual([]);
  });
});

describe('a swarm on virtual time', () => {
  const content = makeContent(8 * 2 ** 20, 65_536);

  it.each([1, 2, 3])('whose peers know one of them finds together (seed %i)', (seed) => {
    const swarm = new SimSwarm(content, { seed });
    const options = { announces: false, peerExchange: true };
    const hub = swarm.addNode({ ...options, isSeed: true, lineUp: 100_000 }).start();
    const others = [1, 2, 3, 4].map(() => swarm.addNode(options).start().connectTo(hub));
    swarm.clock.runUntil(20 * SECOND);
    for (const node of others) {
      expect(node.stats.peersConnected).toBe(4);
      expect(node.stats.peerSources.pex.known).toBeGreaterThanOrEqual(3);
    }
    expect(hub.stats.peerSources.incoming).toEqual({ known: 4, connected: 4 });
  });

  it('stays as it is when nobody exchanges', () => {
    const swarm = new SimSwarm(content);
    const options = { announces: false, peerExchange: false };
    const hub = swarm.addNode({ ...options, isSeed: true, lineUp: 100_000 }).start();
    const others = [1, 2].map(() => swarm.addNode(options).start().connectTo(hub));
    swarm.clock.runUntil(20 * SECOND);
    for (const node of others) expect(node.stats.peersConnected).toBe(1);
  });
});
