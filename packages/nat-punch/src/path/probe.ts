// The datagrams by which two members of a pair find, prove and keep a path: a probe and its answer, equally long, so that nobody gains by
// making us answer. Each carries the pair's id, a sequence number that counts once, and a code keyed by the pair (a truncated HMAC-SHA256).
// The other side has the key, too: that an answer comes from where a probe went is shown by the probe's nonce, which is told there alone
// (as a transaction id in RFC 8445 section 7.2.5.2, or a PATH_CHALLENGE in RFC 9000 section 8.2).
//
//   0      type: 0xC0 probe, 0xC1 answer       10..15  sequence number of this datagram
//   1      how the sender reaches the network  16..19  generation of the nomination, 0 for none
//   2..9   id of the pair                      20..27  nonce of the probe, which its answer repeats
//                                              28..43  code over all before it
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { NatPunchError } from '../errors.ts';
import { isEqual } from '../stun/stun-integrity.ts';
import { ReplayWindow } from './replay-window.ts';

/** Above the first bytes of STUN, DTLS, TURN channels, RTP (RFC 7983), which are what a path carries besides. */
export const MIN_PROBE_BYTE = 0xc0;
export const PROBE_BYTES = 44;
export const NONCE_BYTES = 8;
export const PAIR_KEY_BYTES = 32;

/** How an end of a path reaches the network: by a socket of its own, or by its allocation on a TURN server. */
export type Via = 'socket' | 'relay-udp' | 'relay-tcp' | 'relay-tls';

/** The index is the number on the wire. */
const VIAS: readonly Via[] = ['socket', 'relay-udp', 'relay-tcp', 'relay-tls'];

export interface ProbeMessage {
  readonly type: 'probe' | 'answer';
  readonly via: Via;
  readonly sequence: number;
  /** Of the nomination that the controlling side makes with it, and whose reception an answer confirms; 0 for none. */
  readonly generation: number;
  /** Of the probe, or of the one that is answered. */
  readonly nonce: bigint;
}

/** Whether a datagram is one of these by its first byte, and so none that the path only carries. */
export function isProbeByte(firstByte: number): boolean {
  return firstByte >= MIN_PROBE_BYTE;
}

/** Writes the probes of one side of a pair and reads those of the other. */
export class ProbeCodec {
  readonly #ownKey: Uint8Array;
  readonly #peerKey: Uint8Array;
  readonly #pairId: Uint8Array;
  readonly #window = new ReplayWindow();
  #sequence = 0;

  /** @throws {NatPunchError} `invalid-argument` for a key that hasn't {@link PAIR_KEY_BYTES}. */
  constructor(pairKey: Uint8Array, isControlling: boolean) {
    if (pairKey.length !== PAIR_KEY_BYTES) {
      throw new NatPunchError('invalid-argument', `a pair key has ${PAIR_KEY_BYTES} bytes`);
    }
    // A key for each direction: what one side has sent means nothing when it is sent back to it.
    const keyOf = (role: string) => hmac(sha256, pairKey, encoder.encode(`bt nat-punch ${role}`));
    this.#ownKey = keyOf(isControlling ? 'controlling' : 'controlled');
    this.#peerKey = keyOf(isControlling ? 'controlled' : 'controlling');
    this.#pairId = keyOf('pair id').subarray(0, 8);
  }

  /** @param nonce 64 random bits, new for each probe: whoever can guess them answers in anybody's name. */
  probe(via: Via, generation: number, nonce: bigint): Uint8Array {
    return this.#encode(0, via, generation, nonce);
  }

  answer(via: Via, to: ProbeMessage): Uint8Array {
    return this.#encode(1, via, to.generation, to.nonce);
  }

  /** Reads a datagram; `undefined` when it is not from the pair's other side, or was read before. */
  decode(bytes: Uint8Array): ProbeMessage | undefined {
    if (bytes.length !== PROBE_BYTES) return undefined;
    const type = bytes[0]! - MIN_PROBE_BYTE;
    const via = VIAS[bytes[1]!];
    if ((type !== 0 && type !== 1) || via === undefined) return undefined;
    for (let i = 0; i < 8; i++) if (bytes[2 + i] !== this.#pairId[i]) return undefined;
    const code = codeOf(this.#peerKey, bytes);
    if (!isEqual(code, bytes.subarray(CODE_AT))) return undefined;
    const sequence = readUint48(bytes, 10);
    if (!this.#window.admit(sequence)) return undefined;
    return {
      type: type === 0 ? 'probe' : 'answer',
      via,
      sequence,
      generation: readUint32(bytes, 16),
      nonce: readNonce(bytes.subarray(NONCE_AT)),
    };
  }

  #encode(type: 0 | 1, via: Via, generation: number, nonce: bigint): Uint8Array {
    const bytes = new Uint8Array(PROBE_BYTES);
    bytes[0] = MIN_PROBE_BYTE + type;
    bytes[1] = VIAS.indexOf(via);
    bytes.set(this.#pairId, 2);
    writeUint48(bytes, 10, this.#sequence++);
    writeUint32(bytes, 16, generation);
    new DataView(bytes.buffer).setBigUint64(NONCE_AT, nonce);
    bytes.set(codeOf(this.#ownKey, bytes), CODE_AT);
    return bytes;
  }
}

/** The nonce that random bytes make, the first {@link NONCE_BYTES} of them. */
export function readNonce(bytes: Uint8Array): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0);
}

const NONCE_AT = 20;
const CODE_AT = NONCE_AT + NONCE_BYTES;
const encoder = new TextEncoder();

function codeOf(key: Uint8Array, bytes: Uint8Array): Uint8Array {
  return hmac(sha256, key, bytes.subarray(0, CODE_AT)).subarray(0, PROBE_BYTES - CODE_AT);
}

function readUint32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
  );
}

function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

function readUint48(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 8) | bytes[at + 1]!) * 0x1_0000_0000 + readUint32(bytes, at + 2);
}

function writeUint48(bytes: Uint8Array, at: number, value: number): void {
  const high = Math.floor(value / 0x1_0000_0000);
  bytes[at] = high >>> 8;
  bytes[at + 1] = high;
  writeUint32(bytes, at + 2, value % 0x1_0000_0000);
}
