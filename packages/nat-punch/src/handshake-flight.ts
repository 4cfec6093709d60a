// The datagrams of a DTLS conversation that may have been lost, to be sent again: the last flight of a handshake, soon and often, since DTLS
// itself waits a second (RFC 6347 section 4.2.4.1); and, when the path changes, what has gone out since anything came in. The other end drops
// what it has twice (section 4.1.2.6).

/** RFC 6347 section 4.1: the first byte of a record is its content type. */
const CHANGE_CIPHER_SPEC = 20;
const HANDSHAKE = 22;
const APPLICATION_DATA = 23;

/** From a flight to its first repetition; then it doubles. */
const FIRST_REPEAT_MS = 60;
const MAX_REPEAT_MS = 500;
/** A flight has at most about six datagrams; what is unanswered, a congestion window. */
export const MAX_FLIGHT_DATAGRAMS = 16;
export const MAX_UNANSWERED_DATAGRAMS = 32;

/** What may have to be sent again, of one DTLS association. */
export class HandshakeFlight {
  #flight: Uint8Array[] = [];
  /** Something of the handshake came in: what goes out next begins another flight. */
  #isAnswered = true;
  #isOver = false;
  #repeatAt: number | undefined;
  #repeatMs = FIRST_REPEAT_MS;
  #unanswered: Uint8Array[] = [];

  /** A datagram goes out. */
  handleOutgoing(now: number, datagram: Uint8Array): void {
    if (this.#unanswered.length >= MAX_UNANSWERED_DATAGRAMS) this.#unanswered.shift();
    this.#unanswered.push(datagram);
    if (this.#isOver || !isHandshake(datagram)) return;
    if (this.#isAnswered) {
      this.#flight = [];
      this.#isAnswered = false;
      this.#repeatMs = FIRST_REPEAT_MS;
    }
    if (this.#flight.length < MAX_FLIGHT_DATAGRAMS) this.#flight.push(datagram);
    this.#repeatAt = now + this.#repeatMs;
  }

  /** A datagram came in. */
  handleIncoming(datagram: Uint8Array): void {
    this.#unanswered = [];
    if (isHandshake(datagram)) this.#isAnswered = true;
    else if (datagram[0] === APPLICATION_DATA) {
      // Who sends data has all of ours.
      this.#isOver = true;
      this.#flight = [];
      this.#repeatAt = undefined;
    }
  }

  /** What to send again now. */
  repeat(now: number): readonly Uint8Array[] {
    if (this.#repeatAt === undefined || now < this.#repeatAt) return [];
    this.#repeatMs = Math.min(this.#repeatMs * 2, MAX_REPEAT_MS);
    this.#repeatAt = now + this.#repeatMs;
    return this.#flight;
  }

  deadline(): number | undefined {
    return this.#repeatAt;
  }

  /** There is a path, or another one: what to send again over it at once. */
  handlePath(): readonly Uint8Array[] {
    return this.#unanswered;
  }
}

function isHandshake(datagram: Uint8Array): boolean {
  return datagram[0] === HANDSHAKE || datagram[0] === CHANGE_CIPHER_SPEC;
}
