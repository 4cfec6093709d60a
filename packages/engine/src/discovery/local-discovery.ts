// Local peer discovery (BEP 14): telling the local network by multicast which torrents we have, and hearing it from others.
// One for a session. Messages and times are here; sockets are the owner's (node/local-discovery.ts).

import { type Endpoint, isLoopback, isPort, isPublic, parseAddress } from '@bt/endpoint';
import {
  LSD_GATHER_MS,
  LSD_INTERVAL_MS,
  LSD_PAUSE_MS,
  MAX_LSD_BYTES,
  MAX_LSD_HASHES,
  MAX_LSD_MESSAGES_PER_MINUTE,
  MAX_LSD_TELLERS,
} from '../limits.ts';

/** Where messages go (BEP 14, "Protocol"). */
export const LSD_GROUPS = {
  4: { address: '239.192.152.143', host: '239.192.152.143:6771' },
  6: { address: 'ff15::efc0:988f', host: '[ff15::efc0:988f]:6771' },
} as const;

export const LSD_PORT = 6771;

export interface LocalAnnouncement {
  /** Where the sender listens for peers. */
  readonly port: number;
  /** Hexadecimal, 40 digits, lower case. */
  readonly infoHashes: readonly string[];
  /** By which a sender knows its own messages. */
  readonly cookie?: string | undefined;
}

/** @param host the group that it goes to, `LSD_GROUPS[family].host` */
export function encodeAnnouncement(host: string, announcement: LocalAnnouncement): Uint8Array {
  const { port, infoHashes, cookie } = announcement;
  const lines = [
    'BT-SEARCH * HTTP/1.1',
    `Host: ${host}`,
    `Port: ${port}`,
    ...infoHashes.map((infoHash) => `Infohash: ${infoHash}`),
    ...(cookie === undefined ? [] : [`cookie: ${cookie}`]),
    '',
    '',
    '',
  ];
  return new TextEncoder().encode(lines.join('\r\n'));
}

/** Undefined for what is none: another method, no port, no info-hash, more than 1,400 bytes. Unknown headers are ignored. */
export function decodeAnnouncement(bytes: Uint8Array): LocalAnnouncement | undefined {
  if (bytes.length > MAX_LSD_BYTES) return undefined;
  const [request, ...lines] = new TextDecoder().decode(bytes).split('\r\n');
  if (request !== 'BT-SEARCH * HTTP/1.1') return undefined;
  let port: number | undefined;
  let cookie: string | undefined;
  const infoHashes = new Set<string>();
  for (const line of lines) {
    const [, name, value] = /^([A-Za-z-]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
    if (name === undefined || value === undefined) continue;
    const field = name.toLowerCase();
    if (field === 'port' && /^[0-9]{1,5}$/.test(value)) port = Number(value);
    else if (field === 'cookie') cookie = value;
    else if (field === 'infohash' && /^[0-9a-fA-F]{40}$/.test(value)) {
      infoHashes.add(value.toLowerCase());
    }
  }
  if (port === undefined || !isPort(port) || port === 0 || infoHashes.size === 0) return undefined;
  return { port, infoHashes: [...infoHashes], cookie };
}

export type LocalDiscoveryEffect =
  /** To every group that there is. */
  | { readonly type: 'announce'; readonly announcement: LocalAnnouncement }
  | { readonly type: 'peer'; readonly infoHash: string; readonly endpoint: Endpoint };

/** A network that we are part of. */
export interface NetworkPrefix {
  /** Any one in it. */
  readonly address: string;
  /** Of the address, so many are the network's. */
  readonly prefixBits: number;
}

export interface LocalDiscoveryOptions {
  /** Where we listen for peers. */
  readonly port: number;
  readonly random: () => number;
  /** Who may speak: their public addresses, and whatever isn't public. */
  readonly networks: () => readonly NetworkPrefix[];
}

export class LocalDiscovery {
  readonly #port: number;
  readonly #networks: () => readonly NetworkPrefix[];
  readonly #cookie: string;
  /** When each of our torrents is announced next. */
  readonly #torrents = new Map<string, number>();
  readonly #effects: LocalDiscoveryEffect[] = [];
  /** No announcement before. */
  #quietUntilMs = Number.NEGATIVE_INFINITY;
  /** Messages of each address in the present minute. */
  #heard = new Map<string, number>();
  #heardMinute = 0;

  constructor({ port, random, networks }: LocalDiscoveryOptions) {
    this.#port = port;
    this.#networks = networks;
    this.#cookie = Math.floor(random() * 0x1_0000_0000)
      .toString(16)
      .padStart(8, '0');
  }

  /** A torrent of ours, by its info-hash in hexadecimal. It is announced soon, and then every five minutes. */
  add(now: number, infoHash: string): void {
    // Torrents that are added together are announced together.
    if (!this.#torrents.has(infoHash)) this.#torrents.set(infoHash, now + LSD_GATHER_MS);
  }

  remove(infoHash: string): void {
    this.#torrents.delete(infoHash);
  }

  /** A message, from the group or from anybody who has sent one to our socket. */
  handleDatagram(now: number, bytes: Uint8Array, from: Endpoint): void {
    if (!this.#isNeighbour(from.address)) return;
    if (!this.#mayTell(now, from.address)) return;
    const announcement = decodeAnnouncement(bytes);
    if (announcement === undefined || announcement.cookie === this.#cookie) return;
    const endpoint = { address: from.address, port: announcement.port };
    for (const infoHash of announcement.infoHashes) {
      if (this.#torrents.has(infoHash)) this.#effects.push({ type: 'peer', infoHash, endpoint });
    }
  }

  handleTimeout(now: number): void {
    if (now < this.deadline()) return;
    const due = [...this.#torrents]
      .filter(([, atMs]) => atMs <= now)
      .sort(([, a], [, b]) => a - b)
      .slice(0, MAX_LSD_HASHES)
      .map(([infoHash]) => infoHash);
    for (const infoHash of due) this.#torrents.set(infoHash, now + LSD_INTERVAL_MS);
    this.#quietUntilMs = now + LSD_PAUSE_MS;
    const announcement = { port: this.#port, infoHashes: due, cookie: this.#cookie };
    this.#effects.push({ type: 'announce', announcement });
  }

  deadline(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const atMs of this.#torrents.values()) next = Math.min(next, atMs);
    return Math.max(next, this.#quietUntilMs);
  }

  poll(): LocalDiscoveryEffect | undefined {
    return this.#effects.shift();
  }

  #isNeighbour(address: string): boolean {
    return !isPublic(address) || this.#networks().some((network) => isWithin(address, network));
  }

  /** Nobody makes us work without end. */
  #mayTell(now: number, address: string): boolean {
    const minute = Math.floor(now / 60_000);
    if (minute !== this.#heardMinute) {
      this.#heardMinute = minute;
      this.#heard = new Map();
    }
    const count = (this.#heard.get(address) ?? 0) + 1;
    if (count > MAX_LSD_MESSAGES_PER_MINUTE) return false;
    if (count === 1 && this.#heard.size >= MAX_LSD_TELLERS) return false;
    this.#heard.set(address, count);
    return true;
  }
}

/** Whether a session that is bound so may speak to its local network: one on loopback keeps to its host. */
export function reachesLocalNetwork(bindAddress: string | undefined): boolean {
  return bindAddress === undefined || !isLoopback(bindAddress);
}

function isWithin(address: string, network: NetworkPrefix): boolean {
  const [bytes, own] = [parseAddress(address), parseAddress(network.address)];
  if (bytes === undefined || own === undefined || bytes.length !== own.length) return false;
  for (let bit = 0; bit < network.prefixBits; bit += 1) {
    const mask = 0x80 >>> (bit & 7);
    if (((bytes[bit >>> 3]! ^ own[bit >>> 3]!) & mask) !== 0) return false;
  }
  return true;
}
