// The DHT node on real sockets: drives the pure machine, and gives promises and async iterables for its operations.
import { type AddressFamily, addressFamily, type Endpoint, isLoopback } from '@bt/endpoint';
import { SAVE_INTERVAL_MS, SEED_BYTES } from '../constants.ts';
import { Dht, type DhtOptions } from '../dht.ts';
import type { DhtEffect, OperationKind, OperationResults, Sample } from '../effects.ts';
import { DhtError, KRPC_ERROR } from '../errors.ts';
import {
  decodeTorrentPointer,
  encodeTorrentPointer,
  type Item,
  isMutable,
  signItem,
} from '../item.ts';
import type { ItemKey } from '../operations/item-operations.ts';
import type { Announcement } from '../operations/peer-operations.ts';
import type { DhtStatistics } from '../statistics.ts';
import { type Entry, type LookupHost, PUBLIC_ROUTERS, parseEntries } from './bootstrap.ts';
import { nodeEd25519 } from './ed25519.ts';
import { Entering } from './entering.ts';
import { Gate } from './gate.ts';
import { OperationStream } from './operation-stream.ts';
import { secureRandom } from './random.ts';
import { Sockets } from './sockets.ts';
import { readStateFile, writeStateFile } from './state-file.ts';

export interface CreateDhtOptions
  extends Pick<
    DhtOptions,
    'id' | 'version' | 'readOnly' | 'rateLimit' | 'lookupCount' | 'lookupConcurrency'
  > {
  /** The UDP port; 0 for one that is free. Default 0. */
  readonly port?: number | undefined;
  /** One address, or one of each family, to bind to. Default: all of the host's, IPv4 and (where there is such) IPv6. */
  readonly bind?: string | readonly string[] | undefined;
  /**
   * `HOST:PORT` of nodes to enter by. They take the place of the default, the public routers. Bound to loopback the default
   * is nobody, no name is resolved but `localhost`, and nothing leaves the host.
   */
  readonly bootstrap?: readonly string[] | undefined;
  /** A file that keeps the table between runs; written every ten minutes and at the end. Default: none. */
  readonly stateFile?: string | undefined;
  /** The other nodes agree that this is our address, or another one than before. What it throws becomes a warning of the process. */
  readonly onExternalAddress?: ((address: string, family: AddressFamily) => void) | undefined;
  /** Something stands in the way into the network. What it throws becomes a warning of the process. */
  readonly onWarning?: ((warning: DhtWarning) => void) | undefined;
  /** Resolves a host name of `bootstrap`. Default: the system's resolver. */
  readonly lookupHost?: LookupHost | undefined;
}

/**
 * What stands in the way into the network, for people: an `entry` of `bootstrap` that can't be used, or that `no-answer` has come from
 * anybody so far. Each is told once.
 */
export interface DhtWarning {
  readonly code: 'entry' | 'no-answer';
  readonly message: string;
}

export interface OperationOptions {
  readonly signal?: AbortSignal | undefined;
}

/**
 * Opens the sockets and enters the network. It does not wait until the node has entered; operations do.
 *
 * @throws {DhtError} `invalid-argument`, `socket`.
 */
export async function createDht(options: CreateDhtOptions = {}): Promise<DhtNode> {
  const { bind, stateFile, port = 0 } = options;
  const addresses = bind === undefined ? ['0.0.0.0', '::'] : [bind].flat();
  const families = addresses.map((address) => addressFamily(address));
  if (
    families.length === 0 ||
    families.includes(undefined) ||
    new Set(families).size < families.length
  ) {
    throw new DhtError('invalid-argument', 'bind: an IP address, or one of each family');
  }
  const isOnLoopback = addresses.every((address) => isLoopback(address));
  const entries = parseEntries(options.bootstrap ?? (isOnLoopback ? [] : PUBLIC_ROUTERS));
  const savedTable = stateFile === undefined ? undefined : await readStateFile(stateFile);
  let node: DhtNode | undefined;
  const sockets = await Sockets.bind(addresses, port, bind === undefined, (bytes, from) =>
    node?.handleDatagram(bytes, from),
  );
  try {
    node = new DhtNode(sockets, { ...options, savedTable }, { entries, isOnLoopback });
    return node;
  } catch (error) {
    await sockets.close();
    throw error;
  }
}

interface Pending {
  /** Undefined once the sink is settled. */
  onEffect(effect: DhtEffect): void;
  fail(error: unknown): void;
}

export class DhtNode {
  readonly #dht: Dht;
  readonly #sockets: Sockets;
  readonly #options: CreateDhtOptions;
  readonly #pending = new Map<number, Pending>();
  readonly #entering: Entering;
  readonly #joined = new Gate();
  #timer: NodeJS.Timeout | undefined;
  #armedAt = Number.POSITIVE_INFINITY;
  readonly #hasSavedTable: boolean;
  #hasWarned = false;
  #saveTimer: NodeJS.Timeout | undefined;
  #saving: Promise<void> = Promise.resolve();
  #closing: Promise<void> | undefined;

  /** @internal Use {@link createDht}. */
  constructor(
    sockets: Sockets,
    options: CreateDhtOptions & Pick<DhtOptions, 'savedTable'>,
    entrance: { readonly entries: readonly Entry[]; readonly isOnLoopback: boolean },
  ) {
    const { families } = sockets;
    const ipv4 = families.includes(4);
    const ipv6 = families.includes(6);
    this.#sockets = sockets;
    this.#options = options;
    this.#hasSavedTable = options.savedTable !== undefined;
    const { isOnLoopback } = entrance;
    this.#dht = new Dht({
      ...{ ...options, random: secureRandom, ed25519: nodeEd25519, ipv4, ipv6, isOnLoopback },
    });
    this.#entering = new Entering({
      ...{ ...entrance, families, lookupHost: options.lookupHost },
      hasDefaults: options.bootstrap === undefined,
      warn: (message) => this.#warn({ code: 'entry', message }),
      join: (nodes) => {
        this.#dht.join(performance.now(), nodes);
        this.#drain();
      },
    });
    this.#entering.start();
    if (options.stateFile !== undefined) {
      this.#saveTimer = setInterval(
        () => void this.#save().catch(() => undefined),
        SAVE_INTERVAL_MS,
      );
      this.#saveTimer.unref();
    }
  }

  /** The UDP port. */
  get port(): number {
    return this.#sockets.port;
  }

  /** Our id in a family, 20 bytes; undefined when the node takes no part in it. It changes with our address (BEP 42). */
  id(family: 4 | 6 = 4): Uint8Array | undefined {
    return this.#dht.id(family);
  }

  /** Nodes in the table of a family: 4 (IPv4, the default) or 6 (IPv6). */
  nodeCount(family: 4 | 6 = 4): number {
    return this.#dht.nodeCount(family);
  }

  /** Our address as the other nodes see it, once enough of them agree. */
  externalAddress(family: 4 | 6 = 4): string | undefined {
    return this.#dht.externalAddress(family);
  }

  /** What the node has done and knows, as plain numbers. */
  statistics(): DhtStatistics {
    return this.#dht.statistics(performance.now());
  }

  /** Waits until the node has found its neighbours for the first time. It may try for ever: give it a signal. */
  joined(options: OperationOptions = {}): Promise<void> {
    if (this.#isClosed) return Promise.reject(closed());
    return this.#joined.pass(options.signal);
  }

  /**
   * Takes note of a node: of a PORT message, or of the `nodes` of a torrent. Nobody is asked at an address that can be none, nor on
   * loopback from a node that isn't bound to it.
   */
  addNode(endpoint: Endpoint): void {
    if (this.#isClosed) return;
    this.#dht.addNode(performance.now(), endpoint);
    this.#drain();
  }

  /** @throws {DhtError} `timeout`, `krpc-error`, `closed`; on an abort of the signal its reason. */
  ping(endpoint: Endpoint, options: OperationOptions = {}): Promise<OperationResults['ping']> {
    return this.#promise('ping', options, (now) => this.#dht.ping(now, endpoint));
  }

  /**
   * The nodes nearest to an id.
   *
   * @throws {DhtError} `no-nodes`, `closed`; on an abort of the signal its reason. So do all that follow.
   */
  findNode(
    target: Uint8Array,
    options: OperationOptions = {},
  ): Promise<OperationResults['find-node']> {
    return this.#promise('find-node', options, (now) => this.#dht.findNode(now, target));
  }

  /** Peers of a torrent, each as soon as somebody tells of it. Leave the loop to stop. */
  getPeers(
    infoHash: Uint8Array,
    options: OperationOptions & { readonly noSeed?: boolean | undefined } = {},
  ): AsyncIterableIterator<Endpoint> {
    const { noSeed = false } = options;
    return this.#stream(
      options,
      (now) => this.#dht.getPeers(now, infoHash, { noSeed }),
      (effect) => (effect.type === 'peers' ? effect.peers : []),
    );
  }

  /**
   * Tells the nodes nearest to a torrent that we are a peer, and hands the peers that they know to `onPeers`. What that throws ends
   * the operation.
   */
  announce(
    infoHash: Uint8Array,
    options: OperationOptions &
      Announcement & { readonly onPeers?: ((peers: readonly Endpoint[]) => void) | undefined },
  ): Promise<OperationResults['announce']> {
    const { onPeers, impliedPort, seed } = options;
    // Nodes that don't know `implied_port` get a port that is at least ours.
    const port = impliedPort && options.port === 0 ? this.port : options.port;
    return this.#promise(
      'announce',
      options,
      (now) => this.#dht.announce(now, infoHash, { port, impliedPort, seed }),
      (effect) => {
        if (effect.type === 'peers') onPeers?.(effect.peers);
      },
    );
  }

  /** An item of BEP 44, checked; undefined when nobody has it. */
  async get(key: ItemKey, options: OperationOptions = {}): Promise<Item | undefined> {
    return (await this.#promise('get', options, (now) => this.#dht.get(now, key))).item;
  }

  /**
   * Puts an item (`signItem` makes a mutable one). `compareSequence`: the sequence number that it is to take the place of.
   *
   * @throws {DhtError} `invalid-item`; `krpc-error` when all nodes refuse it, `not-stored` when nobody takes it.
   */
  put(
    item: Item,
    options: OperationOptions & { readonly compareSequence?: bigint | undefined } = {},
  ): Promise<OperationResults['put']> {
    const { compareSequence } = options;
    return this.#promise('put', options, (now) => this.#dht.put(now, item, { compareSequence }));
  }

  /**
   * BEP 46: makes the item under a key (of a 32-byte seed) and salt point to a torrent. It gets the next sequence number, and
   * only takes the place of what it has seen.
   *
   * @throws {DhtError} as `put` does, and `krpc-error` with 302 also when some nodes have a newer item that was not to be had.
   */
  async publishTorrent(
    seed: Uint8Array,
    infoHash: Uint8Array,
    options: OperationOptions & { readonly salt?: Uint8Array | undefined } = {},
  ): Promise<OperationResults['put'] & { readonly sequence: bigint }> {
    const { salt, signal } = options;
    if (seed.length !== SEED_BYTES) {
      throw new DhtError('invalid-argument', `a seed has ${SEED_BYTES} bytes, not ${seed.length}`);
    }
    const value = encodeTorrentPointer(infoHash);
    // What is wrong with the salt is found before anybody is asked.
    const { publicKey } = signItem(nodeEd25519, seed, { value, sequence: 1n, salt });
    const current = await this.get({ publicKey, salt }, { signal });
    const compareSequence = current && isMutable(current) ? current.sequence : undefined;
    const sequence = (compareSequence ?? 0n) + 1n;
    const item = signItem(nodeEd25519, seed, { value, sequence, salt });
    const result = await this.put(item, { signal, compareSequence });
    if (result.refusedWith === KRPC_ERROR.sequenceTooLow) {
      const facts = { krpcCode: result.refusedWith };
      throw new DhtError('krpc-error', 'some nodes have an item with a higher number', facts);
    }
    return { ...result, sequence };
  }

  /** BEP 46: the info-hash that a key and salt point to; undefined when nobody knows. */
  async resolveTorrent(
    publicKey: Uint8Array,
    options: OperationOptions & { readonly salt?: Uint8Array | undefined } = {},
  ): Promise<{ readonly infoHash: Uint8Array; readonly sequence: bigint } | undefined> {
    const item = await this.get({ publicKey, salt: options.salt }, options);
    if (item === undefined || !isMutable(item)) return undefined;
    const infoHash = decodeTorrentPointer(item.value);
    return infoHash && { infoHash, sequence: item.sequence };
  }

  /** What nodes on the way to a target keep (BEP 51), node by node. */
  sample(target: Uint8Array, options: OperationOptions = {}): AsyncIterableIterator<Sample> {
    return this.#stream(
      options,
      (now) => this.#dht.sample(now, target),
      (effect) => (effect.type === 'samples' ? [effect.sample] : []),
    );
  }

  /** About how many seeds and downloaders a torrent has (BEP 33). */
  scrape(
    infoHash: Uint8Array,
    options: OperationOptions = {},
  ): Promise<OperationResults['scrape']> {
    return this.#promise('scrape', options, (now) => this.#dht.scrape(now, infoHash));
  }

  /** Ends what is under way, closes the sockets and writes the state file. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @internal */
  handleDatagram(bytes: Uint8Array, from: Endpoint): void {
    if (this.#isClosed) return;
    this.#dht.handleDatagram(performance.now(), bytes, from);
    this.#drain();
  }

  get #isClosed(): boolean {
    return this.#closing !== undefined;
  }

  async #close(): Promise<void> {
    clearTimeout(this.#timer);
    clearInterval(this.#saveTimer);
    this.#entering.close();
    this.#joined.turnAway(closed());
    for (const [operation, pending] of this.#pending) {
      this.#dht.cancel(operation);
      pending.fail(closed());
    }
    this.#pending.clear();
    await this.#sockets.close();
    await this.#save();
  }

  async #promise<Kind extends OperationKind>(
    kind: Kind,
    options: OperationOptions,
    begin: (now: number) => number,
    onEffect: (effect: DhtEffect) => void = () => undefined,
  ): Promise<OperationResults[Kind]> {
    const { signal } = options;
    signal?.throwIfAborted();
    if (kind !== 'ping') await this.#entering.gate.pass(signal);
    return await new Promise((resolve, reject) => {
      this.#begin(signal, begin, {
        onEffect: (effect) => {
          if (effect.type === 'done' && effect.kind === kind) {
            resolve(effect.result as OperationResults[Kind]);
          } else onEffect(effect);
        },
        fail: reject,
      });
    });
  }

  #stream<T>(
    options: OperationOptions,
    begin: (now: number) => number,
    valuesOf: (effect: DhtEffect) => readonly T[],
  ): OperationStream<T> {
    const leave = new AbortController();
    const { signal } = options;
    const either = signal ? AbortSignal.any([signal, leave.signal]) : leave.signal;
    const stream = new OperationStream<T>(() => leave.abort());
    const start = async () => {
      await this.#entering.gate.pass(either);
      this.#begin(either, begin, {
        onEffect: (effect) => {
          if (effect.type === 'done') stream.end();
          else stream.push(valuesOf(effect));
        },
        fail: (error) => stream.end(error),
      });
    };
    start().catch((error: unknown) => stream.end(error));
    return stream;
  }

  #begin(signal: AbortSignal | undefined, begin: (now: number) => number, sink: Pending): void {
    if (this.#isClosed) throw closed();
    const operation = begin(performance.now());
    const onAbort = () => {
      this.#pending.delete(operation);
      this.#dht.cancel(operation);
      sink.fail(signal?.reason);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    const settle = () => signal?.removeEventListener('abort', onAbort);
    this.#pending.set(operation, {
      onEffect: (effect) => {
        if (effect.type === 'done') settle();
        try {
          sink.onEffect(effect);
        } catch (error) {
          // Of a callback of the caller's.
          this.#pending.delete(operation);
          this.#dht.cancel(operation);
          settle();
          sink.fail(error);
        }
      },
      fail: (error) => {
        settle();
        sink.fail(error);
      },
    });
    this.#drain();
  }

  #drain(): void {
    for (let effect = this.#dht.poll(); effect !== undefined; effect = this.#dht.poll()) {
      if (effect.type === 'send') this.#sockets.send(effect.bytes, effect.to);
      else this.#handleEffect(effect);
    }
    this.#arm();
  }

  #handleEffect(effect: Exclude<DhtEffect, { type: 'send' }>): void {
    if (effect.type === 'joined') {
      this.#joined.open();
      this.#entering.gate.open();
    } else if (effect.type === 'unanswered') {
      this.#handleUnanswered();
    } else if (effect.type === 'external-address') {
      this.#tellAddress(effect.address, effect.family);
    }
    if (!('operation' in effect)) return;
    const pending = this.#pending.get(effect.operation);
    if (effect.type === 'done' || effect.type === 'failed') {
      this.#pending.delete(effect.operation);
    }
    if (effect.type === 'failed') pending?.fail(effect.error);
    else pending?.onEffect(effect);
  }

  /** It is no news where there was nobody to ask, as for the first node of a network. */
  #handleUnanswered(): void {
    const { hasEntrances } = this.#entering;
    if (this.#hasWarned || !(hasEntrances || this.#hasSavedTable)) return;
    this.#hasWarned = true;
    this.#warn({ code: 'no-answer', message: 'no node of the DHT has answered so far' });
  }

  #warn(warning: DhtWarning): void {
    callBack(() => this.#options.onWarning?.(warning));
  }

  #tellAddress(address: string, family: AddressFamily): void {
    callBack(() => this.#options.onExternalAddress?.(address, family));
  }

  /** One timer, moved to an earlier time only: a machine that is woken too soon does nothing. */
  #arm(): void {
    const deadline = this.#dht.deadline();
    if (deadline >= this.#armedAt || this.#isClosed) return;
    clearTimeout(this.#timer);
    this.#armedAt = deadline;
    const delayMs = Math.min(Math.max(0, Math.ceil(deadline - performance.now())), MAX_DELAY_MS);
    this.#timer = setTimeout(() => {
      this.#armedAt = Number.POSITIVE_INFINITY;
      this.#dht.handleTimeout(performance.now());
      this.#drain();
    }, delayMs);
  }

  /** One at a time, so that the last one stays. */
  #save(): Promise<void> {
    const { stateFile } = this.#options;
    if (stateFile === undefined) return Promise.resolve();
    const save = () => writeStateFile(stateFile, this.#dht.save());
    this.#saving = this.#saving.then(save, save);
    return this.#saving;
  }
}

function closed(): DhtError {
  return new DhtError('closed', 'the node has been closed');
}

/** What a callback of the caller's throws is no matter of ours. */
function callBack(call: () => void): void {
  try {
    call();
  } catch (error) {
    process.emitWarning(error instanceof Error ? error : String(error));
  }
}

/** Node fires a timer of more than 2^31 - 1 ms at once. */
const MAX_DELAY_MS = 0x7fff_ffff;
