import { createRandom } from '@bt/simulator';
import {
  decodeMetadataMessage,
  encodeExtendedHandshake,
  encodeMetadataMessage,
  METADATA_PIECE_LENGTH,
  metadataPieceCount,
} from '@bt/wire';
import { describe, expect, it } from 'vitest';
import { EXTENDED_ID } from '../../src/extensions.ts';
import { MagnetTorrent, makePeerId, RateLimit } from '../../src/index.ts';
import { MAX_METADATA_UPLOADS_PER_PIECE, MAX_SEND_QUEUE_BYTES } from '../../src/limits.ts';
import {
  type BareConnection,
  BareTorrent,
  BareTransport,
  extendedMessage,
  repeat,
  sentExtended,
} from '../support/bare-torrent.ts';
import { makeContent } from '../support/content.ts';

const home = { address: '10.0.0.2', port: 6881 };
const THEIR_ID = 7;
// An info dictionary of 80 pieces of 16 KiB and a bit: more than one socket's queue.
const content = makeContent(66_000, 1);
const pieceCount = metadataPieceCount(content.info.bytes.length);

function connect(bare: BareTorrent, port = home.port): BareConnection {
  const connection = bare.connect({ ...home, port }, `customer ${port}`);
  connection.transport.isDeaf = true;
  const messages = new Map([['ut_metadata', THEIR_ID]]);
  bare.receive(connection, extendedMessage(0, encodeExtendedHandshake({ messages })));
  return connection;
}

function request(pieceIndex: number): Uint8Array {
  const payload = encodeMetadataMessage({ type: 'request', pieceIndex });
  return extendedMessage(EXTENDED_ID.metadata, payload);
}

function answers(connection: BareConnection) {
  return sentExtended(connection, THEIR_ID).map((payload) => decodeMetadataMessage(payload)!);
}

function counts(connection: BareConnection): { data: number; reject: number } {
  const all = answers(connection);
  const data = all.filter(({ type }) => type === 'data').length;
  return { data, reject: all.length - data };
}

/** All that waits is taken, again and again. */
function drain(bare: BareTorrent, connection: BareConnection): void {
  while (connection.transport.queuedBytes > 0) {
    expect(connection.transport.queuedBytes).toBeLessThan(MAX_SEND_QUEUE_BYTES + 20_000);
    connection.transport.queuedBytes = 0;
    bare.torrent.handleWritable(bare.now, connection.peer);
  }
}

describe('giving the info dictionary', () => {
  it('says how long it is, and sends it piece by piece as it came', () => {
    const bare = new BareTorrent({ content });
    const customer = connect(bare);
    const [own] = sentExtended(customer, 0);
    expect(Buffer.from(own!).toString('latin1')).toContain(
      `13:metadata_sizei${content.info.bytes.length}e`,
    );
    expect(Buffer.from(own!).toString('latin1')).toContain('11:ut_metadatai1e');
    for (let piece = 0; piece < pieceCount; piece += 1) bare.receive(customer, request(piece));
    drain(bare, customer);
    const joined = new Uint8Array(content.info.bytes.length);
    for (const message of answers(customer)) {
      if (message.type !== 'data') throw new Error('refused');
      expect(message.totalLength).toBe(joined.length);
      joined.set(message.data, message.pieceIndex * METADATA_PIECE_LENGTH);
    }
    expect(Buffer.compare(joined, content.info.bytes)).toBe(0);
  });

  it('refuses pieces that there are not', () => {
    const bare = new BareTorrent({ content });
    const customer = connect(bare);
    bare.receive(customer, request(pieceCount));
    bare.receive(customer, request(900));
    expect(answers(customer)).toEqual([
      { type: 'reject', pieceIndex: pieceCount },
      { type: 'reject', pieceIndex: 900 },
    ]);
  });

  it('puts no more into a socket than it takes, and goes on when it does', () => {
    const bare = new BareTorrent({ content });
    const customer = connect(bare);
    const all = Array.from({ length: pieceCount }, (_, piece) => request(piece));
    bare.receive(customer, repeat(Buffer.concat(all), 20));
    expect(customer.transport.queuedBytes).toBeLessThan(MAX_SEND_QUEUE_BYTES + 20_000);
    expect(counts(customer).data).toBeLessThan(pieceCount);
    drain(bare, customer);
    // Asked for twenty times while it waited: it is one request.
    expect(counts(customer).data).toBeLessThan(2 * pieceCount);
  });

  it('is bounded in time for each peer, and refuses what is beyond', () => {
    const bare = new BareTorrent({ content });
    const customer = connect(bare);
    const ask = (connection: BareConnection, times: number) => {
      for (let time = 0; time < times; time += 1) {
        for (let piece = 0; piece < pieceCount; piece += 1) {
          bare.receive(connection, request(piece));
          drain(bare, connection);
        }
      }
    };
    ask(customer, 5);
    const most = MAX_METADATA_UPLOADS_PER_PIECE * pieceCount;
    expect(counts(customer)).toEqual({ data: most, reject: 5 * pieceCount - most });
    const other = connect(bare, 7000);
    ask(other, 1);
    expect(counts(other)).toEqual({ data: pieceCount, reject: 0 });
    bare.runTo(61_000);
    ask(customer, 1);
    expect(counts(customer).data).toBe(most + pieceCount);
  });

  it('keeps to the upload limit', () => {
    const bare = new BareTorrent({ content, upLimit: new RateLimit(64 * 1024) });
    const customer = connect(bare);
    for (let piece = 0; piece < 16; piece += 1) bare.receive(customer, request(piece));
    expect(counts(customer).data).toBeLessThan(3);
    while (bare.now < 5_000) {
      bare.now = bare.torrent.deadline();
      bare.torrent.handleTimeout(bare.now);
      customer.transport.queuedBytes = 0;
    }
    expect(counts(customer)).toEqual({ data: 16, reject: 0 });
  });

  it('says nothing to a peer that takes no such messages', () => {
    const bare = new BareTorrent({ content });
    const customer = bare.connect(home, 'mute');
    bare.receive(customer, request(0));
    expect(bare.closeReasons()).toEqual([]);
    expect(sentExtended(customer, THEIR_ID)).toEqual([]);
  });

  it('closes on what is no message, and ignores answers that nobody asked for', () => {
    const bare = new BareTorrent({ content });
    const customer = connect(bare);
    const answer = encodeMetadataMessage({
      type: 'data',
      pieceIndex: 0,
      totalLength: 3,
      data: Uint8Array.of(1, 2, 3),
    });
    bare.receive(customer, extendedMessage(EXTENDED_ID.metadata, answer));
    expect(bare.closeReasons()).toEqual([]);
    bare.receive(customer, extendedMessage(EXTENDED_ID.metadata, Buffer.from('rubbish')));
    expect(bare.closeReasons()).toEqual(['protocol-error']);
  });
});

describe('without the info dictionary', () => {
  it('everything is refused, and no length is named', () => {
    const random = createRandom(2);
    const magnet = new MagnetTorrent({
      now: 0,
      infoHashV1: content.info.infoHash,
      peerId: makePeerId(random),
      listenPort: 6881,
      random,
      downLimit: new RateLimit(),
      upLimit: new RateLimit(),
    });
    const transport = new BareTransport();
    magnet.presence.candidates.add(0, home, 'tracker', true);
    const peer = magnet.addPeer(0, transport, { endpoint: home, direction: 'out' })!;
    const them = new BareTorrent({ content }).connect(home, 'them').transport.sent[0]!;
    magnet.handleBytes(0, peer, them.subarray(0, 68));
    const messages = new Map([['ut_metadata', THEIR_ID]]);
    magnet.handleBytes(0, peer, extendedMessage(0, encodeExtendedHandshake({ messages })));
    magnet.handleBytes(0, peer, request(0));
    const customer = { peer, transport };
    const [own] = sentExtended(customer, 0);
    expect(Buffer.from(own!).toString('latin1')).not.toContain('metadata_size');
    expect(answers(customer)).toEqual([{ type: 'reject', pieceIndex: 0 }]);
  });
});
