// The datagrams of the UDP tracker protocol (BEP 15), both directions, and the URL data option of BEP 41. All integers are
// big-endian. A decoder gives `undefined` for a datagram of the wrong size or action: such a one is dropped, never an error.
import { type AddressFamily, compactLength, type Endpoint, writeCompact } from '@bt/endpoint';
import type { AnnounceEvent, AnnounceRequest, ScrapeEntry } from './announce.ts';
import { MAX_SCRAPE_HASHES } from './limits.ts';
import { readableText } from './text.ts';

/** BEP 15: what a datagram is. */
export const UDP_ACTION = { connect: 0, announce: 1, scrape: 2, error: 3 } as const;

/** BEP 15: the connection id of a connect request. */
const PROTOCOL_ID = 0x41727101980n;

/** BEP 15, announce request: the index is the number on the wire. */
const EVENTS: readonly (AnnounceEvent | undefined)[] = [
  undefined,
  'completed',
  'started',
  'stopped',
];

/** BEP 41: an option that holds a part of the URL's path and query. */
const OPTION_URL_DATA = 2;

const ANNOUNCE_LENGTH = 98;

/** The action and transaction id that begin every answer. */
export interface UdpHeader {
  readonly action: number;
  readonly transactionId: number;
}

export interface UdpAnnounceAnswer {
  readonly intervalSeconds: number;
  readonly incomplete: number;
  readonly complete: number;
  /** Compact entries, 6 or 18 bytes by the family of the exchange: a view on the datagram. */
  readonly compactPeers: Uint8Array;
}

export function encodeConnectRequest(transactionId: number): Uint8Array<ArrayBuffer> {
  const { bytes, view } = allocate(16);
  view.setBigUint64(0, PROTOCOL_ID);
  view.setUint32(8, UDP_ACTION.connect);
  view.setUint32(12, transactionId);
  return bytes;
}

/** `urlData` is the path and query of the tracker's URL (BEP 41); absent or empty for none. */
export function encodeAnnounceRequest(
  connectionId: bigint,
  transactionId: number,
  request: AnnounceRequest,
  urlData: Uint8Array = new Uint8Array(),
): Uint8Array<ArrayBuffer> {
  const { bytes, view } = allocate(ANNOUNCE_LENGTH + optionsLength(urlData));
  view.setBigUint64(0, connectionId);
  view.setUint32(8, UDP_ACTION.announce);
  view.setUint32(12, transactionId);
  bytes.set(request.infoHash, 16);
  bytes.set(request.peerId, 36);
  view.setBigUint64(56, BigInt(request.downloadedBytes));
  view.setBigUint64(64, BigInt(request.leftBytes));
  view.setBigUint64(72, BigInt(request.uploadedBytes));
  view.setUint32(80, EVENTS.indexOf(request.event));
  view.setUint32(84, 0); // The address is the one we send from.
  view.setUint32(88, request.key);
  view.setInt32(92, request.numWant);
  view.setUint16(96, request.port);
  writeOptions(bytes, ANNOUNCE_LENGTH, urlData);
  return bytes;
}

export function encodeScrapeRequest(
  connectionId: bigint,
  transactionId: number,
  infoHashes: readonly Uint8Array[],
): Uint8Array<ArrayBuffer> {
  const { bytes, view } = allocate(16 + 20 * infoHashes.length);
  view.setBigUint64(0, connectionId);
  view.setUint32(8, UDP_ACTION.scrape);
  view.setUint32(12, transactionId);
  infoHashes.forEach((infoHash, i) => {
    bytes.set(infoHash, 16 + 20 * i);
  });
  return bytes;
}

/** The first 8 bytes of an answer. */
export function decodeUdpHeader(datagram: Uint8Array): UdpHeader | undefined {
  if (datagram.length < 8) return undefined;
  const view = viewOf(datagram);
  return { action: view.getUint32(0), transactionId: view.getUint32(4) };
}

/** The connection id. */
export function decodeConnectAnswer(datagram: Uint8Array): bigint | undefined {
  if (datagram.length < 16 || viewOf(datagram).getUint32(0) !== UDP_ACTION.connect)
    return undefined;
  return viewOf(datagram).getBigUint64(8);
}

export function decodeAnnounceAnswer(
  datagram: Uint8Array,
  family: AddressFamily,
): UdpAnnounceAnswer | undefined {
  if (datagram.length < 20 || (datagram.length - 20) % compactLength(family) !== 0)
    return undefined;
  const view = viewOf(datagram);
  if (view.getUint32(0) !== UDP_ACTION.announce) return undefined;
  return {
    intervalSeconds: view.getUint32(8),
    incomplete: view.getUint32(12),
    complete: view.getUint32(16),
    compactPeers: datagram.subarray(20),
  };
}

/** Counts in the order asked. */
export function decodeScrapeAnswer(datagram: Uint8Array, count: number): ScrapeEntry[] | undefined {
  if (datagram.length !== 8 + 12 * count) return undefined;
  const view = viewOf(datagram);
  if (view.getUint32(0) !== UDP_ACTION.scrape) return undefined;
  return Array.from({ length: count }, (_, i) => ({
    complete: view.getUint32(8 + 12 * i),
    downloaded: view.getUint32(12 + 12 * i),
    incomplete: view.getUint32(16 + 12 * i),
  }));
}

/** The message of an error, fit to be shown. */
export function decodeErrorAnswer(datagram: Uint8Array): string | undefined {
  if (datagram.length < 8 || viewOf(datagram).getUint32(0) !== UDP_ACTION.error) return undefined;
  return readableText(datagram.subarray(8));
}

/** What a server may be asked. */
export type UdpRequest =
  | { readonly type: 'connect'; readonly transactionId: number }
  | {
      readonly type: 'announce';
      readonly transactionId: number;
      readonly connectionId: bigint;
      readonly request: AnnounceRequest;
    }
  | {
      readonly type: 'scrape';
      readonly transactionId: number;
      readonly connectionId: bigint;
      readonly infoHashes: Uint8Array[];
    };

/**
 * A request as a server gets it. Byte arrays are views on the datagram; a negative number of peers wanted (BEP 15: the
 * default) comes as `defaultNumWant`. Counters beyond 2^53 - 1 are cut there.
 */
export function decodeUdpRequest(
  datagram: Uint8Array,
  defaultNumWant: number,
): UdpRequest | undefined {
  if (datagram.length < 16) return undefined;
  const view = viewOf(datagram);
  const connectionId = view.getBigUint64(0);
  const action = view.getUint32(8);
  const transactionId = view.getUint32(12);
  if (action === UDP_ACTION.connect) {
    return connectionId === PROTOCOL_ID ? { type: 'connect', transactionId } : undefined;
  }
  if (action === UDP_ACTION.scrape) {
    const count = Math.floor((datagram.length - 16) / 20);
    if (count === 0 || count > MAX_SCRAPE_HASHES) return undefined;
    const infoHashes = Array.from({ length: count }, (_, i) =>
      datagram.subarray(16 + 20 * i, 36 + 20 * i),
    );
    return { type: 'scrape', transactionId, connectionId, infoHashes };
  }
  if (action !== UDP_ACTION.announce || datagram.length < ANNOUNCE_LENGTH) return undefined;
  const event = view.getUint32(80);
  if (event >= EVENTS.length) return undefined;
  const numWant = view.getInt32(92);
  const request: AnnounceRequest = {
    infoHash: datagram.subarray(16, 36),
    peerId: datagram.subarray(36, 56),
    downloadedBytes: readCounter(view, 56),
    leftBytes: readCounter(view, 64),
    uploadedBytes: readCounter(view, 72),
    event: EVENTS[event],
    key: view.getUint32(88),
    numWant: numWant < 0 ? defaultNumWant : numWant,
    port: view.getUint16(96),
  };
  return { type: 'announce', transactionId, connectionId, request };
}

export function encodeConnectAnswer(
  transactionId: number,
  connectionId: bigint,
): Uint8Array<ArrayBuffer> {
  const { bytes, view } = allocate(16);
  view.setUint32(0, UDP_ACTION.connect);
  view.setUint32(4, transactionId);
  view.setBigUint64(8, connectionId);
  return bytes;
}

/** `peers` have to be of `family`. */
export function encodeAnnounceAnswer(
  transactionId: number,
  family: AddressFamily,
  answer: Omit<UdpAnnounceAnswer, 'compactPeers'>,
  peers: readonly Endpoint[],
): Uint8Array<ArrayBuffer> {
  const { bytes, view } = allocate(20 + peers.length * compactLength(family));
  view.setUint32(0, UDP_ACTION.announce);
  view.setUint32(4, transactionId);
  view.setUint32(8, answer.intervalSeconds);
  view.setUint32(12, answer.incomplete);
  view.setUint32(16, answer.complete);
  let at = 20;
  for (const peer of peers) at = writeCompact(bytes, at, peer);
  return bytes;
}

export function encodeScrapeAnswer(
  transactionId: number,
  entries: readonly ScrapeEntry[],
): Uint8Array<ArrayBuffer> {
  const { bytes, view } = allocate(8 + 12 * entries.length);
  view.setUint32(0, UDP_ACTION.scrape);
  view.setUint32(4, transactionId);
  entries.forEach((entry, i) => {
    view.setUint32(8 + 12 * i, entry.complete);
    view.setUint32(12 + 12 * i, entry.downloaded);
    view.setUint32(16 + 12 * i, entry.incomplete);
  });
  return bytes;
}

export function encodeErrorAnswer(transactionId: number, message: string): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(message);
  const { bytes, view } = allocate(8 + text.length);
  view.setUint32(0, UDP_ACTION.error);
  view.setUint32(4, transactionId);
  bytes.set(text, 8);
  return bytes;
}

function allocate(lengthBytes: number): { bytes: Uint8Array<ArrayBuffer>; view: DataView } {
  const bytes = new Uint8Array(lengthBytes);
  return { bytes, view: new DataView(bytes.buffer) };
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function readCounter(view: DataView, offset: number): number {
  return Math.min(Number(view.getBigUint64(offset)), Number.MAX_SAFE_INTEGER);
}

/** BEP 41: a type byte, a length byte and up to 255 bytes, as often as needed. */
function optionsLength(urlData: Uint8Array): number {
  return urlData.length + 2 * Math.ceil(urlData.length / 255);
}

function writeOptions(target: Uint8Array, offset: number, urlData: Uint8Array): void {
  let at = offset;
  for (let start = 0; start < urlData.length; start += 255) {
    const part = urlData.subarray(start, start + 255);
    target[at++] = OPTION_URL_DATA;
    target[at++] = part.length;
    target.set(part, at);
    at += part.length;
  }
}
