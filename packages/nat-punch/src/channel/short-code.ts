// The short code that both ends of a channel show, for people to compare. It is made of both certificates' fingerprints and a nonce of each
// end: each commits to its nonce before it learns the other's, as in ZRTP (RFC 6189 sections 4.4.1.1 and 4.5.2), so that who sits between two
// channels has one guess for each exchange and can't search for certificates, or nonces, that give both ends one code.
//
// Frames, over the open channel: 16 commitment (the sender's own, the other's that it knows or zeros), 17 reveal (nonce). They go over each
// new channel again, with the same nonces, so that an exchange that a dying channel has cut is ended over the next one, and the code stays.
// An end that has begun a new life knows nothing of the last one: both see that, and begin again with nonces that nobody knows.
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { NatPunchError } from '../errors.ts';

/** Of twelve digits: one guess in 10^12, the 40 bits of it. */
const GROUPS = 4;
export const NONCE_BYTES = 32;
/** Each time that it begins again, who sits between has another guess. */
export const MAX_EXCHANGES = 16;

const COMMITMENT = 16;
const REVEAL = 17;
const HASH_BYTES = 32;
const COMMITMENT_BYTES = 1 + 2 * HASH_BYTES;
const REVEAL_BYTES = 1 + NONCE_BYTES;
const NONE = new Uint8Array(HASH_BYTES);

/** What an end of a channel puts into the code. */
interface CodePart {
  /** SHA-256 of its certificate, 32 bytes. */
  readonly fingerprint: Uint8Array;
  /** `NONCE_BYTES` bytes. */
  readonly nonce: Uint8Array;
}

export interface ShortCodeExchangeOptions {
  /** SHA-256 of our certificate. */
  readonly fingerprint: Uint8Array;
  /** So many bytes that nobody can guess. */
  readonly randomBytes: (lengthBytes: number) => Uint8Array;
}

/** One end of the exchange with one other end, for all the channels to it. */
export class ShortCodeExchange {
  readonly #fingerprint: Uint8Array;
  readonly #randomBytes: (lengthBytes: number) => Uint8Array;
  readonly #frames: Uint8Array[] = [];
  #exchanges = 0;
  #nonce: Uint8Array = NONE;
  #commitment: Uint8Array = NONE;
  #peerFingerprint: Uint8Array = NONE;
  #peerCommitment: Uint8Array | undefined;
  #code: string | undefined;
  /** Over the channel that there is now. */
  #isFirst = true;
  #awaits: 'commitment' | 'reveal' | 'nothing' = 'nothing';

  constructor({ fingerprint, randomBytes }: ShortCodeExchangeOptions) {
    this.#fingerprint = fingerprint;
    this.#randomBytes = randomBytes;
    this.#start();
  }

  /** Twelve digits in four groups, such as `042 917 388 105`, as the other end sees them; undefined until both have revealed. */
  get code(): string | undefined {
    return this.#code;
  }

  /**
   * There is a new channel.
   *
   * @param peerFingerprint of the certificate that the other end shows in it: the same in all of them
   */
  handleOpen(peerFingerprint: Uint8Array): void {
    this.#frames.length = 0;
    this.#peerFingerprint = peerFingerprint;
    this.#isFirst = true;
    this.#sayCommitment();
  }

  /**
   * A frame came in over the channel.
   *
   * @returns false: it is not one of these
   * @throws {NatPunchError} `invalid-message` if it breaks the protocol: there is no code then, and no reason to trust that end
   */
  handleFrame(frame: Uint8Array): boolean {
    if (frame[0] === COMMITMENT) this.#handleCommitment(frame);
    else if (frame[0] === REVEAL) this.#handleReveal(frame);
    else return false;
    return true;
  }

  /** The next frame to send over the channel; 65 bytes at most, and no more than four for each channel. */
  poll(): Uint8Array | undefined {
    return this.#frames.shift();
  }

  #start(): void {
    this.#exchanges += 1;
    this.#nonce = this.#randomBytes(NONCE_BYTES);
    this.#commitment = commitmentOf({ fingerprint: this.#fingerprint, nonce: this.#nonce });
    this.#peerCommitment = undefined;
    this.#code = undefined;
  }

  #sayCommitment(): void {
    this.#awaits = 'commitment';
    const known = this.#peerCommitment ?? NONE;
    this.#frames.push(concatBytes(Uint8Array.of(COMMITMENT), this.#commitment, known));
  }

  #handleCommitment(frame: Uint8Array): void {
    if (frame.length !== COMMITMENT_BYTES) throw broken('a commitment of a wrong length');
    if (this.#awaits !== 'commitment') throw broken('a commitment out of turn');
    const theirs = frame.slice(1, 1 + HASH_BYTES);
    const known = frame.subarray(1 + HASH_BYTES);
    const isOther = this.#peerCommitment !== undefined && !areEqual(this.#peerCommitment, theirs);
    // Both ends find the same, each from the two commitments that were said first.
    if (isOther || !(areEqual(known, NONE) || areEqual(known, this.#commitment))) {
      if (!this.#isFirst) throw broken('a commitment of an exchange that was begun again');
      if (this.#exchanges >= MAX_EXCHANGES) throw broken('too many commitments');
      this.#isFirst = false;
      this.#start();
      this.#sayCommitment();
      return;
    }
    this.#peerCommitment = theirs;
    this.#awaits = 'reveal';
    this.#frames.push(concatBytes(Uint8Array.of(REVEAL), this.#nonce));
  }

  #handleReveal(frame: Uint8Array): void {
    if (frame.length !== REVEAL_BYTES) throw broken('a reveal of a wrong length');
    if (this.#awaits !== 'reveal') throw broken('a reveal out of turn');
    const theirs = { fingerprint: this.#peerFingerprint, nonce: frame.slice(1) };
    if (!areEqual(commitmentOf(theirs), this.#peerCommitment!)) {
      throw broken('another nonce than it has committed to');
    }
    this.#awaits = 'nothing';
    this.#code = shortCode([{ fingerprint: this.#fingerprint, nonce: this.#nonce }, theirs]);
  }
}

/** The same whatever the order of the two. */
function shortCode(parts: readonly [CodePart, CodePart]): string {
  const both = parts.map(({ fingerprint, nonce }) => concatBytes(fingerprint, nonce));
  const hash = hmac(
    sha256,
    utf8ToBytes('nat-punch short code'),
    concatBytes(...both.sort(compare)),
  );
  const view = new DataView(hash.buffer, hash.byteOffset);
  const groups: string[] = [];
  for (let group = 0; group < GROUPS; group += 1) {
    // 2^32 is 4,294,967 thousands and a bit: no group is likelier than another by more than a millionth.
    groups.push(String(view.getUint32(group * 4) % 1000).padStart(3, '0'));
  }
  return groups.join(' ');
}

/** With the fingerprint, so that nobody can give another's commitment as its own. */
function commitmentOf({ fingerprint, nonce }: CodePart): Uint8Array {
  return hmac(sha256, utf8ToBytes('nat-punch short code nonce'), concatBytes(nonce, fingerprint));
}

function broken(what: string): NatPunchError {
  return new NatPunchError('invalid-message', `the other end sent ${what}`);
}

function areEqual(a: Uint8Array, b: Uint8Array): boolean {
  return compare(a, b) === 0;
}

function compare(a: Uint8Array, b: Uint8Array): number {
  for (const [index, byte] of a.entries()) {
    const difference = byte - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
