// The datagrams of a DTLS conversation that may have been lost, to be sent again: the last flight of the handshake, soon and often, since DTLS
// itself waits a second (RFC 6347 section 4.2.4.1), and the first of the data, with which SCTP waits as long (RFC 9260 section 16); and, when
// the path changes, what has gone out since anything came in. The other end drops what it has twice (RFC 6347 section 4.1.2.6).

/** RFC 6347 section 4.1: the first byte of a record is its content type. */
const APPLICATION_DATA = 23;

/** From a flight to its first repetition; then it doubles. */
const FIRST_REPEAT_MS = 60;
const MAX_REPEAT_MS = 500;
/** A flight of data may want no answer. */
const MAX_DATA_REPEATS = 6;
/** So many datagrams with data have come when SCTP has measured its round trip, and repeats by itself. */
const SETTLED_AFTER = 8;
/** A flight has at most about six datagrams; what is unanswered, a congestion window. */
export const MAX_FLIGHT_DATAGRAMS = 16;
export const MAX_UNANSWERED_DATAGRAMS = 32;

/** What may have to be sent again, of one DTLS association. */
export class HandshakeFlight {
  #flight: Uint8Array[] = [];
  /** Something came in: what goes out next begins another flight. */
  #isAnswered = true;
  #hasData = false;
  #repeats = 0;
  #dataIn = 0;
  #repeatAt: number | undefined;
  #repeatMs = FIRST_REPEAT_MS;
  #unanswered: Uint8Array[] = [];

  /** A datagram goes out. */
  handleOutgoing(now: number, datagram: Uint8Array): void {
    if (this.#unanswered.length >= MAX_UNANSWERED_DATAGRAMS) this.#unanswered.shift();
    this.#unanswered.push(datagram);
    if (this.#dataIn >= SETTLED_AFTER) return;
    if (this.#isAnswered) {
      this.#flight = [];
      this.#isAnswered = false;
      this.#hasData = false;
      this.#repeats = 0;
      this.#repeatMs = FIRST_REPEAT_MS;
    }
    if (this.#flight.length < MAX_FLIGHT_DATAGRAMS) this.#flight.push(datagram);
    if (datagram[0] === APPLICATION_DATA) this.#hasData = true;
    this.#repeatAt = now + this.#repeatMs;
  }

  /** A datagram came in. */
  handleIncoming(datagram: Uint8Array): void {
    this.#unanswered = [];
    this.#isAnswered = true;
    if (datagram[0] !== APPLICATION_DATA) return;
    this.#dataIn += 1;
    // Who sends data has all of the handshake.
    if (this.#dataIn >= SETTLED_AFTER || !this.#hasData) this.#stop();
  }

  /** What to send again now. */
  repeat(now: number): readonly Uint8Array[] {
    if (this.#repeatAt === undefined || now < this.#repeatAt) return [];
    this.#repeats += 1;
    const flight = this.#flight;
    if (this.#hasData && this.#repeats >= MAX_DATA_REPEATS) this.#stop();
    else {
      this.#repeatMs = Math.min(this.#repeatMs * 2, MAX_REPEAT_MS);
      this.#repeatAt = now + this.#repeatMs;
    }
    return flight;
  }

  deadline(): number | undefined {
    return this.#repeatAt;
  }

  /** There is a path, or another one: what to send again over it at once. */
  handlePath(): readonly Uint8Array[] {
    return this.#unanswered;
  }

  #stop(): void {
    this.#flight = [];
    this.#repeatAt = undefined;
    this.#isAnswered = true;
  }
}
