// Operations that are about nodes: ping and find_node (BEP 5), sample_infohashes (BEP 51).
import { readCompact } from '@bt/endpoint';
import { ID_BYTES, MAX_SAMPLE_INTERVAL_SECONDS } from '../constants.ts';
import { DhtError } from '../errors.ts';
import type { Lookup } from '../lookup.ts';
import type { Message } from '../message.ts';
import type { Overlay } from '../overlay.ts';
import type { Waiting } from '../querier.ts';
import type { Query, QueryListener } from '../transactions.ts';
import { Operation, type OperationContext, SearchOperation } from './operation.ts';

/** Asks one endpoint for a sign of life. */
export class PingOperation extends Operation implements QueryListener, Waiting {
  readonly #overlay: Overlay;
  readonly #node: Uint8Array;
  #isStopped = false;

  /** `endpoint` is compact, of the overlay's family. */
  constructor(context: OperationContext, id: number, overlay: Overlay, endpoint: Uint8Array) {
    super(context, id);
    this.#overlay = overlay;
    this.#node = new Uint8Array(overlay.table.nodeBytes);
    this.#node.set(endpoint.subarray(0, overlay.table.nodeBytes - ID_BYTES), ID_BYTES);
  }

  start(now: number): void {
    this.resume(now);
  }

  stop(): void {
    this.#isStopped = true;
    this.context.querier.stopWaiting(this);
  }

  resume(now: number): void {
    const { querier } = this.context;
    const target = { overlay: this.#overlay, node: this.#node, knowsId: false };
    if (!querier.send(now, target, 'ping', {}, this)) querier.waitForRoom(this);
  }

  onAnswer(now: number, query: Query, message: Message): void {
    if (this.#isStopped) return;
    if (message.type === 'error') {
      const facts = { krpcCode: message.errorCode };
      this.fail(new DhtError('krpc-error', `the node answered with an error`, facts));
      return;
    }
    const endpoint = readCompact(query.node, ID_BYTES, query.family);
    const node = { id: message.copy(message.idAt, ID_BYTES), endpoint };
    this.done('ping', { node, roundTripMs: now - query.sentAt });
  }

  onFailure(): void {
    if (this.#isStopped) return;
    this.fail(new DhtError('timeout', 'the node has not answered'));
  }
}

/** Finds the nodes nearest to an id. */
export class FindNodeOperation extends SearchOperation {
  constructor(context: OperationContext, id: number, target: Uint8Array) {
    super(context, id, target, 'find_node');
  }

  protected onFound(): void {
    this.done('find-node', { ...this.search.cost(), closest: this.search.nearest() });
  }
}

/** Asks the nodes on the way to a target, and around it, which info-hashes they keep peers of. */
export class SampleOperation extends SearchOperation {
  #infoHashCount = 0;

  constructor(context: OperationContext, id: number, target: Uint8Array) {
    super(context, id, target, 'sample_infohashes');
  }

  override onResponse(_now: number, lookup: Lookup, slot: number, message: Message): void {
    if (message.samplesAt < 0) return;
    const infoHashes: Uint8Array[] = [];
    for (let at = 0; at + ID_BYTES <= message.samplesLength; at += ID_BYTES) {
      infoHashes.push(message.copy(message.samplesAt + at, ID_BYTES));
    }
    this.#infoHashCount += infoHashes.length;
    const node = lookup.candidates.copyNode(slot);
    const endpoint = readCompact(node, ID_BYTES, lookup.overlay.family);
    const sample = {
      from: { id: node.subarray(0, ID_BYTES), endpoint },
      infoHashes,
      totalCount: Math.max(message.hashCount, infoHashes.length),
      intervalSeconds: Math.min(Math.max(message.intervalSeconds, 0), MAX_SAMPLE_INTERVAL_SECONDS),
    };
    this.emit({ type: 'samples', operation: this.id, sample });
  }

  protected onFound(): void {
    this.done('sample', { ...this.search.cost(), infoHashCount: this.#infoHashCount });
  }
}
