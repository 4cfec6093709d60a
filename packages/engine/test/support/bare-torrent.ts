// One Torrent whose peers are bytes: for what no honest client sends.

import type { Endpoint } from '@bt/endpoint';
import { createRandom, VirtualClock } from '@bt/simulator';
import { encodeHandshake, HANDSHAKE_LENGTH, HandshakeReader, type WireFeatures } from '@bt/wire';
import {
  defaultStrategies,
  makePeerId,
  type Peer,
  type PeerTransport,
  RateLimit,
  Torrent,
  type TorrentEffect,
  type TorrentOptions,
} from '../../src/index.ts';
import { type Content, makeContent } from './content.ts';
import { SimDisk } from './sim-disk.ts';

export const UNCHOKE = 1;
export const REQUEST = 6;
export const PIECE = 7;
export const HAVE_ALL = 14;
const EXTENDED = 20;

export class BareTransport implements PeerTransport {
  sentBytes = 0;
  /** What waits: nothing, unless the test says otherwise. */
  queuedBytes = 0;
  /** What is sent waits. */
  isDeaf = false;
  isPaused = false;
  isClosed = false;
  readonly sent: Uint8Array[] = [];

  send(bytes: Uint8Array): void {
    this.sent.push(bytes.slice());
    this.sentBytes += bytes.length;
    if (this.isDeaf) this.queuedBytes += bytes.length;
  }

  sendBlock(header: Uint8Array, block: Uint8Array): void {
    this.send(header);
    this.send(block);
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  close(): void {
    this.isClosed = true;
  }
}

export interface BareConnection {
  readonly peer: Peer;
  readonly transport: BareTransport;
}

export class BareTorrent {
  readonly clock = new VirtualClock();
  readonly content: Content;
  readonly disk: SimDisk;
  readonly torrent: Torrent;
  now = 0;

  constructor(options: Partial<TorrentOptions> & { content?: Content } = {}) {
    this.content = options.content ?? makeContent(4 * 65_536, 65_536);
    this.disk = new SimDisk(this.clock, this.content);
    const random = createRandom(1);
    this.torrent = new Torrent({
      now: 0,
      info: this.content.info,
      disk: this.disk,
      peerId: makePeerId(random),
      listenPort: 6881,
      strategies: defaultStrategies,
      random,
      downLimit: new RateLimit(undefined),
      upLimit: new RateLimit(undefined),
      ...options,
    });
  }

  /** A connection whose handshake is done; undefined when it was refused. */
  tryConnect(
    endpoint: Endpoint,
    peerId: string,
    direction: 'in' | 'out' = 'in',
    features: Partial<WireFeatures> = {},
  ): BareConnection | undefined {
    const transport = new BareTransport();
    const bytes = encodeHandshake({
      infoHash: this.content.info.infoHash,
      peerId: Buffer.from(peerId.padEnd(20, '.')),
      features: { fast: true, extended: true, ...features },
    });
    const reader = new HandshakeReader();
    reader.handleBytes(bytes);
    const handshake = direction === 'in' ? reader.handshake : undefined;
    const added = { endpoint, direction, handshake };
    if (direction === 'out') this.know(endpoint);
    const peer = this.torrent.addPeer(this.now, transport, added);
    if (peer === undefined) return undefined;
    if (direction === 'out') this.torrent.handleBytes(this.now, peer, bytes);
    return { peer, transport };
  }

  /** As if it was dialled: connections of ours to nobody known are refused. */
  know(endpoint: Endpoint): void {
    this.torrent.presence.candidates.add(this.now, endpoint, 'tracker', true);
  }

  connect(
    endpoint: Endpoint,
    peerId: string,
    direction: 'in' | 'out' = 'in',
    features: Partial<WireFeatures> = {},
  ): BareConnection {
    const connection = this.tryConnect(endpoint, peerId, direction, features);
    if (connection === undefined) throw new Error('the connection was refused');
    return connection;
  }

  receive({ peer }: BareConnection, bytes: Uint8Array): void {
    this.torrent.handleBytes(this.now, peer, bytes);
  }

  /** A connection of a peer that has everything and lets us ask. */
  connectSeed(endpoint: Endpoint, peerId: string): BareConnection {
    const seed = this.connect(endpoint, peerId);
    this.receive(seed, Buffer.concat([message(HAVE_ALL), message(UNCHOKE)]));
    return seed;
  }

  /** What we have asked of the peer and not got, the oldest first. */
  asked({ peer }: BareConnection): [pieceIndex: number, blockOffset: number][] {
    const asked: [number, number][] = [];
    peer.requests.forEach((pieceIndex, blockOffset) => {
      asked.push([pieceIndex, blockOffset]);
    });
    return asked;
  }

  /** A block of the content comes from the peer, right or wrong. */
  receiveBlock(
    from: BareConnection,
    pieceIndex: number,
    blockOffset: number,
    isRight = true,
  ): void {
    const { geometry } = this.content.info;
    const lengthBytes = geometry.blockSize(pieceIndex, blockOffset / geometry.blockLength);
    const header = message(PIECE, pieceIndex, blockOffset);
    new DataView(header.buffer, header.byteOffset).setUint32(0, 9 + lengthBytes);
    const at = pieceIndex * geometry.pieceLength + blockOffset;
    const block = new Uint8Array(lengthBytes);
    block.set(this.content.bytes.subarray(at, at + lengthBytes));
    if (!isRight) block[0]! ^= 0xff;
    this.receive(from, Buffer.concat([header, block]));
  }

  /** Goes on to a time, a second in each step. */
  runTo(now: number): void {
    while (this.now < now) {
      this.now = Math.min(now, this.now + 1000);
      this.torrent.handleTimeout(this.now);
    }
  }

  /** What has come out since the last call. */
  effects(): TorrentEffect[] {
    const effects: TorrentEffect[] = [];
    for (;;) {
      const effect = this.torrent.poll();
      if (effect === undefined) return effects;
      effects.push(effect);
    }
  }

  /** Why connections were closed since the last call. */
  closeReasons(): string[] {
    return this.effects().flatMap((effect) =>
      effect.type === 'event' && effect.event.type === 'peer-closed' ? [effect.event.reason] : [],
    );
  }
}

/** A message of an id and numbers of four bytes (BEP 3). */
export function message(id: number, ...numbers: number[]): Uint8Array {
  const bytes = Buffer.alloc(5 + 4 * numbers.length);
  bytes.writeUInt32BE(1 + 4 * numbers.length);
  bytes[4] = id;
  for (const [index, number] of numbers.entries()) bytes.writeUInt32BE(number, 5 + 4 * index);
  return bytes;
}

/** An extended message (BEP 10). */
export function extendedMessage(extendedId: number, payload: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(6 + payload.length);
  bytes.writeUInt32BE(2 + payload.length);
  bytes[4] = EXTENDED;
  bytes[5] = extendedId;
  bytes.set(payload, 6);
  return bytes;
}

/** The messages that have left, without the handshake: ids and payloads. */
export function sentMessages({ transport }: BareConnection): { id: number; payload: Uint8Array }[] {
  const bytes = Buffer.concat(transport.sent).subarray(HANDSHAKE_LENGTH);
  const messages: { id: number; payload: Uint8Array }[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    if (length > 0) {
      messages.push({ id: bytes[at + 4]!, payload: bytes.subarray(at + 5, at + 4 + length) });
    }
    at += 4 + length;
  }
  return messages;
}

/** Payloads of the extended messages of one id that have left. */
export function sentExtended(connection: BareConnection, extendedId: number): Uint8Array[] {
  return sentMessages(connection)
    .filter(({ id, payload }) => id === EXTENDED && payload[0] === extendedId)
    .map(({ payload }) => payload.subarray(1));
}

export function repeat(bytes: Uint8Array, count: number): Uint8Array {
  return Buffer.concat(Array.from({ length: count }, () => bytes));
}
