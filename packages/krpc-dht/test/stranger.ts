// Another node, written by hand: it asks what a test wants and answers as a test wants.
import { type Endpoint, encodeCompact } from '@bt/endpoint';
import {
  type Dht,
  type DhtEffect,
  decodeMessage,
  Message,
  type Method,
  type QueryArguments,
  type ResponseFields,
  type Sender,
  writeError,
  writeQuery,
  writeResponse,
} from '../src/index.ts';

/** A datagram that the node under test has sent, read. */
export interface Sent {
  readonly to: Endpoint;
  readonly bytes: Uint8Array;
  readonly message: Message;
}

/** Drains a node: what it has sent, and what else it has to tell. */
export function drain(dht: Dht): { sent: Sent[]; effects: DhtEffect[] } {
  const sent: Sent[] = [];
  const effects: DhtEffect[] = [];
  for (let effect = dht.poll(); effect !== undefined; effect = dht.poll()) {
    if (effect.type !== 'send') {
      effects.push(effect);
      continue;
    }
    const message = new Message();
    const bytes = effect.bytes.slice();
    if (decodeMessage(bytes, message) !== 'ok') throw new Error(`sent: ${message.reason}`);
    sent.push({ to: effect.to, bytes, message });
  }
  return { sent, effects };
}

export class Stranger {
  readonly sender: Sender;
  readonly endpoint: Endpoint;

  constructor(id: Uint8Array, endpoint: Endpoint, readOnly = false) {
    this.sender = { id, readOnly };
    this.endpoint = endpoint;
  }

  /** Its compact node info. */
  get node(): Uint8Array {
    return Uint8Array.of(...this.sender.id, ...encodeCompact(this.endpoint));
  }

  /** Asks the node something, and gives what it sends in return, to whomever. */
  ask(dht: Dht, now: number, method: Method, args: QueryArguments = {}): Sent[] {
    dht.handleDatagram(now, this.query(method, args), this.endpoint);
    return drain(dht).sent;
  }

  query(method: Method, args: QueryArguments = {}, transaction = TRANSACTION): Uint8Array {
    const buffer = new Uint8Array(2000);
    return buffer.slice(0, writeQuery(buffer, 0, this.sender, transaction, method, args));
  }

  /** Answers a query that the node has sent. */
  respond(dht: Dht, now: number, sent: Sent, fields: ResponseFields = {}, ip?: Uint8Array): void {
    const buffer = new Uint8Array(2000);
    const { message } = sent;
    const end = writeResponse(buffer, 0, this.sender, message, fields, ip, 1400);
    dht.handleDatagram(now, buffer.slice(0, end), this.endpoint);
  }

  refuse(dht: Dht, now: number, sent: Sent, code: 201 | 202 | 203 | 204 | 301): void {
    const buffer = new Uint8Array(2000);
    const end = writeError(buffer, 0, this.sender, sent.message, code, 'no');
    dht.handleDatagram(now, buffer.slice(0, end), this.endpoint);
  }
}

const TRANSACTION = Uint8Array.of(0x61, 0x61);

/** A node whose table knows these: each has answered a ping. */
export function acquaint(dht: Dht, now: number, strangers: readonly Stranger[]): void {
  for (const stranger of strangers) {
    dht.addNode(now, stranger.endpoint);
    const { sent } = drain(dht);
    const ping = sent.find(({ to }) => to.port === stranger.endpoint.port);
    if (ping === undefined) throw new Error('no ping');
    stranger.respond(dht, now, ping);
    drain(dht);
  }
}
