// Messages of ut_pex (BEP 11): which peers the sender has connected to and lost since its last message. It is all hearsay: what
// can't be a peer is dropped here, and of what is left only the first of a message.
import type { BencodeDict } from '@bt/bencode';
import { encode } from '@bt/bencode';
import {
  compactLength,
  type Endpoint,
  encodeCompact,
  endpointKey,
  isMartian,
  readCompact,
} from '@bt/endpoint';
import { WireError } from './errors.ts';
import { decodeExtended } from './extension.ts';

/** Flags of an added peer (BEP 11). */
export const PEX_FLAG = {
  prefersEncryption: 0x01,
  /** A seed, or upload only (BEP 21). */
  seed: 0x02,
  utp: 0x04,
  holepunch: 0x08,
  /** The sender has dialled it. */
  reachable: 0x10,
} as const;

/** Peers added, and peers dropped, in one message (BEP 11). */
export const MAX_PEX_PEERS = 50;

/** Milliseconds between two messages to one peer (BEP 11). */
export const PEX_INTERVAL_MS = 60_000;

export interface PexPeer extends Endpoint {
  /** Bits of {@link PEX_FLAG}. */
  readonly flags: number;
}

export interface PexMessage {
  readonly added: readonly PexPeer[];
  readonly dropped: readonly Endpoint[];
}

/**
 * The payload of a ut_pex message.
 *
 * @throws {WireError} `invalid-argument` (local) for more than 50 added or dropped peers, or one that can't be encoded.
 */
export function encodePex(message: PexMessage): Uint8Array<ArrayBuffer> {
  const { added, dropped } = message;
  if (added.length > MAX_PEX_PEERS || dropped.length > MAX_PEX_PEERS) {
    throw new WireError('invalid-argument', 'local', 'more than 50 peers added or dropped');
  }
  const [added4, added6] = byFamily(added);
  const [dropped4, dropped6] = byFamily(dropped);
  try {
    return encode({
      added: compactList(added4),
      'added.f': flagsOf(added4),
      added6: compactList(added6),
      'added6.f': flagsOf(added6),
      dropped: compactList(dropped4),
      dropped6: compactList(dropped6),
    });
  } catch (cause) {
    throw new WireError('invalid-argument', 'local', 'a peer that can not be sent', { cause });
  }
}

/**
 * Decodes the payload of a ut_pex message. Kept are the first 50 added and the first 50 dropped that can be peers, each once;
 * a list whose length is no multiple of its entries, and flags that are not as many as their peers, are as if absent.
 * `tellerIsLoopback`: the message came over a connection within this host, so that its loopback addresses mean something.
 *
 * @throws {WireError} `bad-extended` (remote) when it is no bencoded dictionary.
 */
export function decodePex(
  payload: Uint8Array,
  options: { readonly tellerIsLoopback: boolean },
): PexMessage {
  const dictionary = decodeExtended(payload);
  return {
    added: readPeers(dictionary, 'added', options),
    dropped: readPeers(dictionary, 'dropped', options).map(({ address, port }) => ({
      address,
      port,
    })),
  };
}

/** Entries looked at in one list: some clients send up to 100, and a message of a megabyte must not cost much. */
const MAX_SCANNED = 4 * MAX_PEX_PEERS;

function readPeers(
  dictionary: BencodeDict,
  field: 'added' | 'dropped',
  options: { readonly tellerIsLoopback: boolean },
): PexPeer[] {
  const peers = new Map<string, PexPeer>();
  for (const family of [4, 6] as const) {
    const key = family === 4 ? field : `${field}6`;
    const list = dictionary.bytes(key);
    const length = compactLength(family);
    if (list === undefined || list.length % length !== 0) continue;
    const count = list.length / length;
    const flags = dictionary.bytes(`${key}.f`);
    const hasFlags = flags?.length === count;
    for (let i = 0; i < Math.min(count, MAX_SCANNED) && peers.size < MAX_PEX_PEERS; i++) {
      const endpoint = readCompact(list, i * length, family);
      if (isMartian(endpoint, options)) continue;
      const peer = { ...endpoint, flags: hasFlags ? flags[i]! : 0 };
      if (!peers.has(endpointKey(peer))) peers.set(endpointKey(peer), peer);
    }
  }
  return [...peers.values()];
}

function byFamily<T extends Endpoint>(endpoints: readonly T[]): [T[], T[]] {
  const isV6 = (endpoint: T) => endpoint.address.includes(':');
  return [endpoints.filter((endpoint) => !isV6(endpoint)), endpoints.filter(isV6)];
}

function compactList(endpoints: readonly Endpoint[]): Uint8Array {
  const lists = endpoints.map(encodeCompact);
  const bytes = new Uint8Array(lists.reduce((sum, entry) => sum + entry.length, 0));
  let at = 0;
  for (const entry of lists) {
    bytes.set(entry, at);
    at += entry.length;
  }
  return bytes;
}

function flagsOf(peers: readonly PexPeer[]): Uint8Array {
  return Uint8Array.from(peers, (peer) => peer.flags);
}
