// SPAKE2 (RFC 9382) on P-256 with SHA-256, HKDF and HMAC: two sides that know one phrase find a common key, and one who guesses wrong
// learns no more than that. Side A masks its share with M, side B with N.
import { p256 } from '@noble/curves/nist.js';
import { hkdf } from '@noble/hashes/hkdf.js';
import { hmac } from '@noble/hashes/hmac.js';
import { scrypt } from '@noble/hashes/scrypt.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { NatPunchError } from '../errors.ts';

/** Bytes of a share: an uncompressed point. */
export const SPAKE2_SHARE_BYTES = 65;
/** Bytes of a confirmation: one HMAC-SHA256. */
export const SPAKE2_CONFIRMATION_BYTES = 32;
/** The longest phrase, in bytes of UTF-8. */
export const MAX_PHRASE_BYTES = 1024;

/** RFC 9382 section 3.3: what makes a stolen key as costly to guess as scrypt is; N is what a browser does in a quarter of a second. */
const SCRYPT = { N: 2 ** 14, r: 8, p: 1, dkLen: 40 } as const;
/** RFC 9382 section 4: the points of P-256, made so that nobody knows their logarithm. */
const M = p256.Point.fromHex('02886e2f97ace46e55ba9dd7242579f2993b64e16ef3dcab95afd497333d8fa12f');
const N = p256.Point.fromHex('03d8bbd6c639c62937b04d997f38c3770719c629d7014d49a24b4f98baa1292b49');
const ORDER = p256.Point.Fn.ORDER;

/** What a phrase is to SPAKE2: the scalar `w` of RFC 9382, 32 bytes big-endian. */
export type PhraseKey = Uint8Array;

/**
 * The key of a phrase in a pool. It takes a few hundred milliseconds, so derive it once.
 *
 * @throws {NatPunchError} `invalid-argument` if the phrase is empty or longer than `MAX_PHRASE_BYTES`
 */
export function derivePhraseKey(phrase: string, pool: string): PhraseKey {
  const [secret, salt] = phraseKeyInput(phrase, pool);
  return phraseKeyOf(scrypt(secret, salt, SCRYPT));
}

/** What `derivePhraseKey` gives to scrypt, for who has a faster one: the secret, the salt, and the parameters. */
export function phraseKeyInput(
  phrase: string,
  pool: string,
): readonly [secret: Uint8Array, salt: Uint8Array, parameters: typeof SCRYPT] {
  // Two keyboards may type one phrase in two ways.
  const secret = utf8ToBytes(phrase.normalize('NFC'));
  if (secret.length === 0 || secret.length > MAX_PHRASE_BYTES) {
    throw new NatPunchError(
      'invalid-argument',
      `the phrase has ${secret.length} bytes, not 1 to ${MAX_PHRASE_BYTES}`,
    );
  }
  return [secret, utf8ToBytes(`nat-punch phrase ${pool}`), SCRYPT];
}

/** The key from the 40 bytes that scrypt makes of `phraseKeyInput`: 64 bits more than the order, so that no scalar is likelier. */
export function phraseKeyOf(derived: Uint8Array): PhraseKey {
  const w = toNumber(derived) % ORDER;
  return p256.Point.Fn.toBytes(w);
}

export interface Spake2Options {
  /** A or B of RFC 9382; both sides must agree who is who. */
  readonly side: 'A' | 'B';
  readonly phraseKey: PhraseKey;
  /** Who side A and side B are, alike on both sides. */
  readonly identityA: string;
  readonly identityB: string;
  /** 40 random bytes, never used twice. */
  readonly randomBytes: Uint8Array;
}

/** What both sides have when their shares have crossed; it proves nothing before `verify` has been true. */
export interface Spake2Keys {
  /** Known to both sides alone, 16 bytes. */
  readonly sharedKey: Uint8Array;
  /** To send, so that the other side sees that we know the phrase. */
  readonly confirmation: Uint8Array;
  /** Does what the other side sent show that it knows the phrase, and saw the same as we? */
  verify(confirmation: Uint8Array): boolean;
}

/** One side of one exchange. */
export class Spake2 {
  /** To send: `SPAKE2_SHARE_BYTES`. */
  readonly share: Uint8Array;
  readonly #options: Spake2Options;
  readonly #secret: bigint;
  readonly #w: bigint;

  constructor(options: Spake2Options) {
    this.#options = options;
    this.#secret = (toNumber(options.randomBytes) % (ORDER - 1n)) + 1n;
    this.#w = toNumber(options.phraseKey) % ORDER;
    const mask = options.side === 'A' ? M : N;
    this.share = p256.Point.BASE.multiply(this.#secret).add(times(mask, this.#w)).toBytes(false);
  }

  /**
   * @param share of the other side
   * @param bound further facts that both sides must see alike, such as the fingerprints of a channel's certificates (AAD of section 3.4)
   * @throws {NatPunchError} `invalid-message` if the share is no point of the curve, or one that gives no secret
   */
  finish(share: Uint8Array, bound: Uint8Array = new Uint8Array(0)): Spake2Keys {
    const { side, identityA, identityB } = this.#options;
    const theirMask = side === 'A' ? N : M;
    const point = pointOf(share).subtract(times(theirMask, this.#w));
    if (point.is0()) throw new NatPunchError('invalid-message', 'the share gives no secret');
    // The cofactor of P-256 is 1.
    const common = point.multiply(this.#secret).toBytes(false);
    const [shareA, shareB] = side === 'A' ? [this.share, share] : [share, this.share];
    const transcript = concatBytes(
      ...[utf8ToBytes(identityA), utf8ToBytes(identityB), shareA, shareB, common]
        .concat(p256.Point.Fn.toBytes(this.#w))
        .flatMap((part) => [length64(part), part]),
    );
    const hashed = sha256(transcript);
    const info = concatBytes(utf8ToBytes('ConfirmationKeys'), bound);
    const confirmationKeys = hkdf(sha256, hashed.subarray(16), undefined, info, 32);
    const confirmations = [
      hmac(sha256, confirmationKeys.subarray(0, 16), transcript),
      hmac(sha256, confirmationKeys.subarray(16), transcript),
    ] as const;
    const [own, expected] = side === 'A' ? confirmations : [confirmations[1], confirmations[0]];
    return {
      sharedKey: hashed.slice(0, 16),
      confirmation: own,
      verify: (confirmation) => areEqual(confirmation, expected),
    };
  }
}

function pointOf(share: Uint8Array): InstanceType<typeof p256.Point> {
  try {
    if (share.length !== SPAKE2_SHARE_BYTES) throw new RangeError('wrong length');
    const point = p256.Point.fromBytes(share);
    point.assertValidity();
    return point;
  } catch (cause) {
    throw new NatPunchError('invalid-message', 'the share is no point of P-256', { cause });
  }
}

/** `multiply` refuses 0. */
function times(
  point: InstanceType<typeof p256.Point>,
  scalar: bigint,
): InstanceType<typeof p256.Point> {
  return scalar === 0n ? p256.Point.ZERO : point.multiply(scalar);
}

function toNumber(bytes: Uint8Array): bigint {
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return value;
}

/** Eight bytes, little-endian (section 3.3). */
function length64(part: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setUint32(0, part.length, true);
  return bytes;
}

/** In a time that says nothing of where they differ. */
function areEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (const [index, byte] of a.entries()) difference |= byte ^ b[index]!;
  return difference === 0;
}
