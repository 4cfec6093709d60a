// The client's side of one STUN transaction (RFC 8489 section 6), with the long-term credential mechanism (section 9.2): repeated until it is
// answered, begun anew with the realm and nonce that the server challenges it with.
import { STUN_ATTRIBUTE } from './stun-attributes.ts';
import { hasIntegrity, longTermKey } from './stun-integrity.ts';
import { type StunMessage, StunWriter } from './stun-message.ts';

/** Who we are to the server. Shared by all requests to it: one nonce serves them all. */
export class LongTermCredentials {
  readonly username: string;
  readonly #password: string;
  #realm: string | undefined;
  #nonce: string | undefined;
  #key: Uint8Array | undefined;

  constructor(username: string, password: string) {
    this.username = username;
    this.#password = password;
  }

  get nonce(): string | undefined {
    return this.#nonce;
  }

  /** The key of the realm that the server has named. */
  get key(): Uint8Array | undefined {
    return this.#key;
  }

  /** Takes the realm and nonce of an answer; false when it lacks one. */
  learn(message: StunMessage): boolean {
    const realm = message.text(STUN_ATTRIBUTE.realm) ?? this.#realm;
    const nonce = message.text(STUN_ATTRIBUTE.nonce);
    if (realm === undefined || nonce === undefined || nonce.length > MAX_NONCE_CHARACTERS)
      return false;
    if (realm !== this.#realm) this.#key = longTermKey(this.username, realm, this.#password);
    this.#realm = realm;
    this.#nonce = nonce;
    return true;
  }

  /** Adds what an authenticated request ends with, as far as the server has named it. */
  sign(writer: StunWriter): StunWriter {
    writer.text(STUN_ATTRIBUTE.username, this.username);
    if (this.#realm === undefined || this.#nonce === undefined || this.#key === undefined) {
      return writer;
    }
    return writer
      .text(STUN_ATTRIBUTE.realm, this.#realm)
      .text(STUN_ATTRIBUTE.nonce, this.#nonce)
      .integrity('sha1', this.#key);
  }
}

/**
 * When a request is sent again, and given up at the last, in milliseconds from its beginning. Sooner than RFC 8489 section 6.2.1 has it
 * (500 ms): a chat waits for it, and the server is one.
 */
export const DATAGRAM_TIMES_MS = [0, 80, 200, 400, 800, 1_500, 2_500] as const;
/** Over a stream it is sent once (RFC 8489 section 6.2.2). */
export const STREAM_TIMES_MS = [0, 6_000] as const;
/** To know soon whether the server still knows us. */
export const QUICK_TIMES_MS = [0, 80, 200, 400, 700] as const;

const MAX_NONCE_CHARACTERS = 128; // RFC 8489 section 14.10
const MAX_CHALLENGES = 3;

export interface StunRequestOptions {
  readonly method: number;
  /** Adds the attributes that are the request's own. */
  readonly write?: (writer: StunWriter) => void;
  readonly credentials?: LongTermCredentials | undefined;
  readonly timesMs?: readonly number[];
  readonly randomBytes: (length: number) => Uint8Array;
}

export type StunOutcome =
  | { readonly type: 'success'; readonly message: StunMessage }
  | { readonly type: 'error'; readonly code: number; readonly reason: string }
  | { readonly type: 'timeout' };

/** Send what `poll` gives; hand in what comes from the server; `outcome` is there when it is over. */
export class StunRequest {
  readonly #options: StunRequestOptions;
  readonly #timesMs: readonly number[];
  #transactionId: Uint8Array;
  #startMs: number;
  #sends = 0;
  #challenges = 0;
  #usedNonce: string | undefined;
  #bytes: Uint8Array | undefined;
  #toSend: Uint8Array | undefined;
  #outcome: StunOutcome | undefined;

  constructor(now: number, options: StunRequestOptions) {
    this.#options = options;
    this.#timesMs = options.timesMs ?? DATAGRAM_TIMES_MS;
    this.#startMs = now;
    this.#transactionId = options.randomBytes(12);
    this.#begin(now);
  }

  get outcome(): StunOutcome | undefined {
    return this.#outcome;
  }

  poll(): Uint8Array | undefined {
    const bytes = this.#toSend;
    this.#toSend = undefined;
    return bytes;
  }

  deadline(): number {
    if (this.#outcome !== undefined) return Number.POSITIVE_INFINITY;
    return this.#startMs + this.#timesMs[this.#sends]!;
  }

  handleTimeout(now: number): void {
    if (now < this.deadline()) return;
    if (this.#sends === this.#timesMs.length - 1) this.#outcome = { type: 'timeout' };
    else this.#send();
  }

  /** False when the message is no answer to this request. */
  handleMessage(now: number, message: StunMessage): boolean {
    if (this.#outcome !== undefined || message.method !== this.#options.method) return false;
    if (!message.answers(this.#transactionId)) return false;
    const { credentials } = this.#options;
    if (message.class === 'success') {
      // RFC 8489 section 9.2.5: an answer that doesn't show the password is none.
      const key = credentials?.key;
      if (key !== undefined && !hasIntegrity(message, key)) return false;
      this.#outcome = { type: 'success', message };
      return true;
    }
    const error = message.errorCode();
    if (error === undefined) return false;
    if ((error.code === 401 || error.code === 438) && this.#isAnsweredAnew(message)) {
      this.#begin(now);
      return true;
    }
    this.#outcome = { type: 'error', ...error };
    return true;
  }

  /** Whether a challenge tells something new: the same one again means that the password is wrong. */
  #isAnsweredAnew(message: StunMessage): boolean {
    const { credentials } = this.#options;
    if (credentials === undefined || this.#challenges === MAX_CHALLENGES) return false;
    this.#challenges += 1;
    return credentials.learn(message) && credentials.nonce !== this.#usedNonce;
  }

  #begin(now: number): void {
    const { method, write, credentials, randomBytes } = this.#options;
    this.#transactionId = randomBytes(12);
    this.#startMs = now;
    this.#sends = 0;
    const writer = new StunWriter('request', method, this.#transactionId);
    write?.(writer);
    this.#usedNonce = credentials?.nonce;
    credentials?.sign(writer);
    this.#bytes = writer.finish();
    this.#send();
  }

  #send(): void {
    this.#sends += 1;
    this.#toSend = this.#bytes;
  }
}
