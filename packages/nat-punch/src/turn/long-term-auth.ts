// The server's side of the long-term credential mechanism (RFC 8489 section 9.2.4): who a request is from.
import { NatPunchError } from '../errors.ts';
import { STUN_ATTRIBUTE } from '../stun/stun-attributes.ts';
import {
  hasIntegrity,
  type IntegrityHash,
  integrityHash,
  longTermKey,
} from '../stun/stun-integrity.ts';
import type { StunMessage } from '../stun/stun-message.ts';
import { MAX_REALM_BYTES, MAX_USERNAME_BYTES } from './relay-limits.ts';
import { TurnNonces } from './turn-nonce.ts';

/** Who sent a request: its name is known, its integrity right, and it has received a nonce at its address. */
export interface Authenticated {
  readonly username: string;
  /** Who that is: quotas are an account's, whatever user names it has. */
  readonly account: string;
  /** For the integrity of the answer, by the hash that the request has used. */
  readonly key: Uint8Array;
  readonly hash: IntegrityHash;
}

/** The number of the error that a request is answered with: no or wrong credentials 401, an old nonce 438, incomplete ones 400. */
export type Refusal = 400 | 401 | 438;

export interface LongTermAuthOptions {
  /** At most {@link MAX_REALM_BYTES} bytes. */
  readonly realm: string;
  /** 32 random bytes. */
  readonly secret: Uint8Array;
  /** The password of a user name now; undefined when there is none, or it has run out. */
  passwordOf(username: string, now: number): string | undefined;
  /** The account of a user name whose password was right; the user name itself unless told otherwise. */
  accountOf?(username: string): string;
}

export class LongTermAuth {
  readonly realm: string;
  readonly #passwordOf: LongTermAuthOptions['passwordOf'];
  readonly #accountOf: (username: string) => string;
  readonly #nonces: TurnNonces;

  /** @throws {NatPunchError} `invalid-argument` for a realm that is empty or too long. */
  constructor(options: LongTermAuthOptions) {
    const length = new TextEncoder().encode(options.realm).length;
    if (length === 0 || length > MAX_REALM_BYTES) {
      const message = `a realm has 1 to ${MAX_REALM_BYTES} bytes, not ${length}`;
      throw new NatPunchError('invalid-argument', message);
    }
    this.realm = options.realm;
    this.#passwordOf = (username, now) => options.passwordOf(username, now);
    this.#accountOf = (username) => options.accountOf?.(username) ?? username;
    this.#nonces = new TurnNonces(options.secret);
  }

  issueNonce(now: number, address: string): string {
    return this.#nonces.issue(now, address);
  }

  /** Whether a request has a nonce that was issued to this IP address lately: it comes from there, and no other sender can have made it. */
  hasNonce(now: number, request: StunMessage, address: string): boolean {
    const nonce = request.text(STUN_ATTRIBUTE.nonce);
    return nonce !== undefined && this.#nonces.isValid(now, nonce, address);
  }

  /**
   * Judges a request, whose nonce {@link hasNonce} has judged before: anybody can make the server compute a nonce's hash, a key and an integrity
   * only whoever has proved where he is.
   */
  check(now: number, request: StunMessage, hasNonce: boolean): Authenticated | Refusal {
    const hash = integrityHash(request);
    if (hash === undefined) return 401;
    const username = request.text(STUN_ATTRIBUTE.username);
    if (
      username === undefined ||
      username === '' ||
      request.value(STUN_ATTRIBUTE.username)!.length > MAX_USERNAME_BYTES ||
      !request.has(STUN_ATTRIBUTE.realm) ||
      !request.has(STUN_ATTRIBUTE.nonce)
    ) {
      return 400;
    }
    if (!hasNonce) return 438;
    const password = this.#passwordOf(username, now);
    // A name that nobody has takes as long as a wrong password.
    const key = longTermKey(username, this.realm, password ?? '');
    if (!hasIntegrity(request, key) || password === undefined) return 401;
    return { username, account: this.#accountOf(username), key, hash };
  }
}
