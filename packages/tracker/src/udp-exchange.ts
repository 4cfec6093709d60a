// One exchange with a UDP tracker (BEP 15): connect, ask, repeat what gets no answer. Pure: datagrams and time go in,
// datagrams and an outcome come out.

import { TrackerError } from './errors.ts';
import { CONNECTION_ID_LIFETIME_MS } from './limits.ts';
import {
  decodeConnectAnswer,
  decodeErrorAnswer,
  decodeUdpHeader,
  encodeConnectRequest,
  UDP_ACTION,
} from './udp.ts';

/** BEP 15 "Time outs": a request is repeated after 15 * 2^n seconds, n going from 0 to 8. */
const FIRST_TIMEOUT_MS = 15_000;
const MAX_REPETITIONS = 8;

export interface UdpExchangeOptions<T> {
  /** The request to make once there is a connection id. */
  readonly encodeRequest: (connectionId: bigint, transactionId: number) => Uint8Array<ArrayBuffer>;
  /** Its answer; `undefined` drops the datagram. */
  readonly decodeAnswer: (datagram: Uint8Array) => T | undefined;
  /** Unpredictable numbers from 0 to 2^32 - 1: transaction ids are what keeps forged answers out. */
  readonly randomUint32: () => number;
}

export type UdpOutcome<T> =
  | { readonly type: 'answer'; readonly answer: T }
  | { readonly type: 'failure'; readonly error: TrackerError };

/**
 * Send what `poll` gives until it gives nothing, after the constructor and after each call; call `handleTimeout` when
 * `deadline` has come; stop when `outcome` is there. Hand in only datagrams that came from the address and port asked.
 */
export class UdpExchange<T> {
  readonly #options: UdpExchangeOptions<T>;
  #connectionId: bigint | undefined;
  #connectionIdUntil = 0;
  #transactionId = 0;
  #repetitions = 0;
  #repeatAt: number;
  #toSend: Uint8Array<ArrayBuffer> | undefined;
  #outcome: UdpOutcome<T> | undefined;

  constructor(now: number, options: UdpExchangeOptions<T>) {
    this.#options = options;
    this.#repeatAt = now;
    this.#begin(now);
  }

  get outcome(): UdpOutcome<T> | undefined {
    return this.#outcome;
  }

  poll(): Uint8Array<ArrayBuffer> | undefined {
    const datagram = this.#toSend;
    this.#toSend = undefined;
    return datagram;
  }

  /** When the request is repeated or given up; Infinity once there is an outcome. */
  deadline(): number {
    return this.#outcome === undefined ? this.#repeatAt : Number.POSITIVE_INFINITY;
  }

  handleDatagram(now: number, datagram: Uint8Array): void {
    if (this.#outcome !== undefined) return;
    const header = decodeUdpHeader(datagram);
    if (header === undefined || header.transactionId !== this.#transactionId) return;
    if (header.action === UDP_ACTION.error) {
      const reason = decodeErrorAnswer(datagram) || 'no reason given';
      this.#finish({
        type: 'failure',
        error: new TrackerError('tracker-failure', `the tracker refused: ${reason}`),
      });
      return;
    }
    if (this.#connectionId === undefined) {
      const connectionId = decodeConnectAnswer(datagram);
      if (connectionId === undefined) return;
      this.#connectionId = connectionId;
      this.#connectionIdUntil = now + CONNECTION_ID_LIFETIME_MS;
      this.#begin(now);
      return;
    }
    const answer = this.#options.decodeAnswer(datagram);
    if (answer !== undefined) this.#finish({ type: 'answer', answer });
  }

  handleTimeout(now: number): void {
    if (this.#outcome !== undefined || now < this.#repeatAt) return;
    if (this.#repetitions === MAX_REPETITIONS) {
      const error = new TrackerError('timeout', 'the tracker does not answer');
      this.#finish({ type: 'failure', error });
      return;
    }
    this.#repetitions++;
    if (this.#connectionId !== undefined && now >= this.#connectionIdUntil) {
      this.#connectionId = undefined;
      this.#begin(now);
      return;
    }
    this.#send(now);
  }

  /** Goes over to the next kind of request, with a transaction id of its own. */
  #begin(now: number): void {
    this.#transactionId = this.#options.randomUint32();
    this.#send(now);
  }

  /** A repetition keeps its transaction id, so that an answer to the first try still counts. */
  #send(now: number): void {
    this.#toSend =
      this.#connectionId === undefined
        ? encodeConnectRequest(this.#transactionId)
        : this.#options.encodeRequest(this.#connectionId, this.#transactionId);
    this.#repeatAt = now + FIRST_TIMEOUT_MS * 2 ** this.#repetitions;
  }

  #finish(outcome: UdpOutcome<T>): void {
    this.#outcome = outcome;
    this.#toSend = undefined;
  }
}
