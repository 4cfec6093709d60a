// What a key points to (BEP 46): a magnet link with a public key leads to the torrent that its owner has published last.

import { setTimeout as sleep } from 'node:timers/promises';
import { DhtError, decodeTorrentPointer, isMutable, type MutableItem } from '@bt/krpc-dht';
import type { DhtNode } from '@bt/krpc-dht/node';
import { sameBytes } from '@bt/metainfo';

/** Nodes forget an item after two hours; whoever follows it helps to keep it (BEP 46, "Consuming content"). */
const KEEP_MS = 3_600_000;
/** Between two questions while nobody knows where it points. */
const RETRY_MS = 5_000;

export interface Target {
  /** 20 bytes. */
  readonly infoHash: Uint8Array;
  /** A higher one takes the place of a lower one. */
  readonly sequence: bigint;
}

export class TorrentPointer {
  readonly publicKey: Uint8Array;
  readonly salt: Uint8Array | undefined;
  readonly #node: DhtNode;
  #item: MutableItem | undefined;
  #keptMs = Number.NEGATIVE_INFINITY;

  constructor(node: DhtNode, publicKey: Uint8Array, salt: Uint8Array | undefined) {
    this.publicKey = publicKey;
    this.salt = salt;
    this.#node = node;
  }

  /**
   * Where it points to; asks until somebody knows.
   * @throws the reason of `signal`, when that is aborted. {@link DhtError} but for `no-nodes`
   */
  async find(signal: AbortSignal): Promise<Target> {
    for (;;) {
      const target = await this.#ask(signal);
      if (target !== undefined) return target;
      await sleep(RETRY_MS, undefined, { signal });
    }
  }

  /**
   * The next torrent that it points to, looked for every so often. Meanwhile the item is kept alive.
   * @throws the reason of `signal`, when that is aborted
   */
  async next(present: Target, everyMs: number, signal: AbortSignal): Promise<Target> {
    for (;;) {
      await this.#keep(signal);
      await sleep(everyMs, undefined, { signal });
      const target = await this.#ask(signal);
      if (target === undefined || target.sequence <= present.sequence) continue;
      if (!sameBytes(target.infoHash, present.infoHash)) return target;
    }
  }

  /** Undefined when nobody knows, or nobody answers. */
  async #ask(signal: AbortSignal): Promise<Target | undefined> {
    const { publicKey, salt } = this;
    try {
      const item = await this.#node.get({ publicKey, salt }, { signal });
      if (item === undefined || !isMutable(item)) return undefined;
      const infoHash = decodeTorrentPointer(item.value);
      if (infoHash === undefined) return undefined;
      if (this.#item === undefined || item.sequence > this.#item.sequence) this.#item = item;
      return { infoHash, sequence: item.sequence };
    } catch (error) {
      if (!(error instanceof DhtError) || error.code !== 'no-nodes') throw error;
      return undefined;
    }
  }

  async #keep(signal: AbortSignal): Promise<void> {
    const now = performance.now();
    if (this.#item === undefined || now - this.#keptMs < KEEP_MS) return;
    this.#keptMs = now;
    try {
      await this.#node.put(this.#item, { signal });
    } catch (error) {
      // Its owner puts it as well.
      if (!(error instanceof DhtError)) throw error;
    }
  }
}
