// A mainline DHT node as a machine without I/O: datagrams and time go in, datagrams and results come out. After each call drain
// `poll()`, and call `handleTimeout` when `deadline()` has come.
import { type Endpoint, isMartianAt, isPort, parseAddressInto, printAddress } from '@bt/endpoint';
import {
  ID_BYTES,
  LOOKUP_CONCURRENCY,
  MAX_DATAGRAM_BYTES,
  MAX_LOOKUP_COUNT,
  MAX_OPERATIONS,
  NODES_PER_ANSWER,
  PUBLIC_KEY_BYTES,
  SAVED_ENTRANCES,
} from './constants.ts';
import { decodeMessage } from './decode.ts';
import { type Ed25519, pureEd25519 } from './ed25519.ts';
import { type DhtEffect, EffectQueue } from './effects.ts';
import { DhtError } from './errors.ts';
import { copyItem, describeFault, type Item, validateItem } from './item.ts';
import { Join } from './join.ts';
import { Maintenance } from './maintenance.ts';
import { Message } from './message.ts';
import { randomId } from './node-id.ts';
import { copyKey, GetOperation, type ItemKey, PutOperation } from './operations/item-operations.ts';
import { FindNodeOperation, PingOperation, SampleOperation } from './operations/node-operations.ts';
import type { Operation, OperationContext } from './operations/operation.ts';
import {
  type Announcement,
  PeersOperation,
  ScrapeOperation,
} from './operations/peer-operations.ts';
import { Overlay, type Overlays, overlayOf } from './overlay.ts';
import { Querier } from './querier.ts';
import { Responder } from './responder.ts';
import { decodeSavedTable, encodeSavedTable, type SavedOverlay } from './saved-table.ts';
import { Source } from './source.ts';
import { Counters, type DhtStatistics, type OverlayStatistics } from './statistics.ts';
import { Stores } from './stores.ts';
import { VerifiedAddresses } from './verified-addresses.ts';

export interface DhtOptions {
  /** Numbers in [0, 1). On a real network nobody may be able to guess them: ids, tokens and transaction ids come from it. */
  readonly random: () => number;
  /** The DHTs to take part in (BEP 32). Default: IPv4 alone. */
  readonly ipv4?: boolean | undefined;
  readonly ipv6?: boolean | undefined;
  /** Our id at first, 20 bytes. Default: that of the saved table, or a random one. */
  readonly id?: Uint8Array | undefined;
  /** What `save()` gave in an earlier run. Anything else is ignored. */
  readonly savedTable?: Uint8Array | undefined;
  /** `v` of our messages, 4 bytes: two letters of the client and two of its version. Default: none. */
  readonly version?: Uint8Array | undefined;
  /** BEP 43: asks, and answers nobody but the pings of those it is asking. Default false. */
  readonly readOnly?: boolean | undefined;
  /**
   * The node is on loopback itself, so that loopback addresses mean something when strangers tell of them. Default false: then
   * `addNode` and the saved table pass over them.
   */
  readonly isOnLoopback?: boolean | undefined;
  /** Rate limits and the verification of addresses. False only on trusted networks and in benchmarks. Default true. */
  readonly rateLimit?: boolean | undefined;
  /** How many nearest nodes a lookup wants: Kademlia's k, but for buckets and answers, which have 8. Default 8, at most 32. */
  readonly lookupCount?: number | undefined;
  /** Kademlia's alpha: queries under way in one lookup and family. Default 3. */
  readonly lookupConcurrency?: number | undefined;
  /** Signatures of BEP 44. Default: in pure code; `@bt/krpc-dht/node` has them from node:crypto. */
  readonly ed25519?: Ed25519 | undefined;
}

/** A way into the network. */
export interface JoinNode extends Endpoint {
  /** A public router is asked when the table is nearly empty, and never enters it. Default false. */
  readonly isRouter?: boolean | undefined;
}

export class Dht {
  readonly #overlays: Overlays;
  readonly #effects = new EffectQueue();
  readonly #counters = new Counters();
  readonly #querier: Querier;
  readonly #responder: Responder;
  readonly #stores: Stores;
  readonly #maintenance: Maintenance;
  readonly #join: Join;
  readonly #context: OperationContext;
  readonly #operations = new Map<number, Operation>();
  /** Operations that wait for the end of the join. */
  #waiting: Operation[] = [];
  #nextOperation = 1;
  #saved: readonly SavedOverlay[];
  readonly #isOnLoopback: boolean;
  #hasJoined = false;

  /** @throws {DhtError} `invalid-argument`. */
  constructor(options: DhtOptions) {
    const { random, readOnly = false, version, ed25519 = pureEd25519 } = options;
    const count = options.lookupCount ?? NODES_PER_ANSWER;
    const concurrency = options.lookupConcurrency ?? LOOKUP_CONCURRENCY;
    check(isCount(count, MAX_LOOKUP_COUNT), `lookupCount: 1 to ${MAX_LOOKUP_COUNT}`);
    check(isCount(concurrency, MAX_LOOKUP_COUNT), `lookupConcurrency: 1 to ${MAX_LOOKUP_COUNT}`);
    check(options.id === undefined || options.id.length === ID_BYTES, 'id: 20 bytes');
    check(version === undefined || version.length === 4, 'version: 4 bytes');
    const ipv4 = options.ipv4 ?? true;
    const ipv6 = options.ipv6 ?? false;
    check(ipv4 || ipv6, 'ipv4 or ipv6: one of them');
    this.#isOnLoopback = options.isOnLoopback ?? false;
    this.#saved = (options.savedTable && decodeSavedTable(options.savedTable)) ?? [];
    const id = options.id ?? this.#saved[0]?.id ?? randomId(random);
    const overlay = (family: 4 | 6) => {
      const saved = this.#saved.find((other) => other.family === family);
      return new Overlay({ family, id: options.id ?? saved?.id ?? id, version, readOnly });
    };
    this.#overlays = { ipv4: ipv4 ? overlay(4) : undefined, ipv6: ipv6 ? overlay(6) : undefined };
    const overlays = this.#overlays;
    const effects = this.#effects;
    const counters = this.#counters;
    const verified = options.rateLimit === false ? undefined : new VerifiedAddresses();
    const querier = new Querier({
      ...{ overlays, effects, counters, verified, random },
      onExternalAddress: (now, changed) => this.#handleExternalAddress(now, changed, random),
    });
    this.#querier = querier;
    const stores = new Stores(ed25519, random);
    this.#stores = stores;
    this.#responder = new Responder({
      ...{ overlays, querier, effects, counters, stores, random, readOnly, verified },
      onNewcomer: (now) => this.#join.handleNewcomer(now),
    });
    const taken = [overlays.ipv4, overlays.ipv6].filter((each) => each !== undefined);
    this.#maintenance = new Maintenance({ querier, overlays: taken, random, count, concurrency });
    this.#join = new Join({
      ...{ querier, overlays, random, count, concurrency },
      onEnd: (now, hasJoined) => this.#handleJoinEnd(now, hasJoined),
    });
    this.#context = {
      ...{ querier, overlays, effects, ed25519, count, concurrency, stores },
      keeps: !readOnly,
      onEnd: (operation) => {
        if (this.#operations.delete(operation.id)) counters.lookupsEnded++;
      },
    };
  }

  /** Our id in a family (BEP 42 binds it to the address); undefined when this node takes no part in it. A copy. */
  id(family: 4 | 6 = 4): Uint8Array | undefined {
    return overlayOf(this.#overlays, family)?.id.slice();
  }

  /** Our address as the other nodes see it (BEP 42), once enough of them agree. */
  externalAddress(family: 4 | 6 = 4): string | undefined {
    const address = overlayOf(this.#overlays, family)?.externalAddress.address;
    return address === undefined ? undefined : printAddress(address);
  }

  /** Nodes in the table of a family: 4 (IPv4, the default) or 6 (IPv6). */
  nodeCount(family: 4 | 6 = 4): number {
    return overlayOf(this.#overlays, family)?.table.size ?? 0;
  }

  /** Takes a datagram that came from `from`. Never throws for what is in it. */
  handleDatagram(now: number, bytes: Uint8Array, from: Endpoint): void {
    const counters = this.#counters;
    counters.bytesIn += bytes.length;
    if (bytes.length > MAX_DATAGRAM_BYTES) {
      counters.dropped.oversized++;
      return;
    }
    if (!source.read(from)) {
      counters.dropped.martian++;
      return;
    }
    const outcome = decodeMessage(plain(bytes), message);
    if (outcome === 'drop' || overlayOf(this.#overlays, source.family) === undefined) {
      counters.dropped.malformed++;
      return;
    }
    this.#querier.handleReceived(now);
    if (message.type === 'query') {
      this.#responder.handleQuery(now, message, source, outcome === 'refuse');
    } else {
      this.#querier.handleAnswer(now, message, source);
    }
  }

  /** Does what time has come for. */
  handleTimeout(now: number): void {
    this.#querier.handleTimeout(now);
    this.#join.handleTimeout(now);
    this.#maintenance.handleTimeout(now);
    this.#stores.handleTimeout(now);
  }

  /** When `handleTimeout` is to be called next; Infinity when there is nothing to wait for. */
  deadline(): number {
    return Math.min(
      this.#querier.deadline(),
      this.#join.deadline(),
      this.#maintenance.deadline(),
      this.#stores.deadline(),
    );
  }

  /** The next thing to do or to know, undefined when there is none. */
  poll(): DhtEffect | undefined {
    return this.#effects.poll();
  }

  /**
   * Enters the network by these nodes and those of the saved table: searches for our neighbours, again and again until
   * somebody answers, and anew when all that were found are lost. Operations that are begun meanwhile wait for its first end.
   * Called again it takes in further nodes.
   */
  join(now: number, nodes: readonly JoinNode[] = []): void {
    for (const { isRouter = false, ...endpoint } of nodes) {
      const compact = this.#compactOf(endpoint, true);
      if (compact === undefined) continue;
      this.#join.addEntrance(now, compact.overlay, { endpoint: compact.bytes, isRouter });
    }
    for (const { family, nodes } of this.#saved) {
      const overlay = overlayOf(this.#overlays, family);
      if (overlay === undefined) continue;
      const { nodeBytes } = overlay.table;
      for (let at = 0; at < nodes.length; at += nodeBytes) {
        const node = nodes.slice(at, at + nodeBytes);
        if (isMartianAt(node, ID_BYTES, family, this.#isOnLoopback)) continue;
        // The search asks the nearest of them; a ping asks each.
        this.#responder.newcomers.add(now, overlay, node, true);
        if (at >= SAVED_ENTRANCES * nodeBytes) continue;
        this.#join.addEntrance(now, overlay, { endpoint: node.slice(ID_BYTES), isRouter: false });
      }
    }
    this.#saved = [];
    this.#join.begin(now);
  }

  /**
   * Takes note of a node that somebody told us of: by a PORT message (BEP 5), or in the `nodes` of a torrent. It is pinged, and
   * enters the table if it answers. Passed over are endpoints of a family that we take no part in, and such as nobody can send to.
   */
  addNode(now: number, endpoint: Endpoint): void {
    const compact = this.#compactOf(endpoint, this.#isOnLoopback);
    if (compact === undefined) return;
    const node = new Uint8Array(compact.overlay.table.nodeBytes);
    node.set(compact.bytes, ID_BYTES);
    this.#responder.newcomers.add(now, compact.overlay, node, false);
  }

  /** Asks one node for a sign of life. Each operation gives a number, by which its effects are known. */
  ping(now: number, endpoint: Endpoint): number {
    const compact = this.#compactOf(endpoint, true);
    if (compact === undefined) {
      throw invalid('endpoint: one that can be sent to, of a family that this node takes part in');
    }
    const { overlay, bytes } = compact;
    return this.#begin(now, (id) => new PingOperation(this.#context, id, overlay, bytes), false);
  }

  /** Finds the nodes nearest to an id of 20 bytes. */
  findNode(now: number, target: Uint8Array): number {
    checkId(target, 'target');
    return this.#begin(now, (id) => new FindNodeOperation(this.#context, id, target.slice()));
  }

  /** Finds peers of a torrent (BEP 5). `noSeed` asks for such as need something (BEP 33). */
  getPeers(
    now: number,
    infoHash: Uint8Array,
    options: { noSeed?: boolean | undefined } = {},
  ): number {
    checkId(infoHash, 'infoHash');
    const { noSeed } = options;
    return this.#begin(
      now,
      (id) => new PeersOperation(this.#context, id, infoHash.slice(), { noSeed }),
    );
  }

  /** Finds peers of a torrent, and tells the nodes nearest to it that we are one. */
  announce(now: number, infoHash: Uint8Array, announcement: Announcement): number {
    checkId(infoHash, 'infoHash');
    const { port, impliedPort = false, seed = false } = announcement;
    const isPort = Number.isInteger(port) && port >= (impliedPort ? 0 : 1) && port <= 65535;
    check(isPort, 'port: 1 to 65535');
    const told = { port, impliedPort, seed };
    return this.#begin(
      now,
      (id) => new PeersOperation(this.#context, id, infoHash.slice(), {}, told),
    );
  }

  /** Finds an item (BEP 44), and checks it. */
  get(now: number, key: ItemKey): number {
    if ('target' in key) checkId(key.target, 'target');
    else check(key.publicKey.length === PUBLIC_KEY_BYTES, 'publicKey: 32 bytes');
    return this.#begin(now, (id) => new GetOperation(this.#context, id, copyKey(key)));
  }

  /** Puts an item on the nodes nearest to it. `compareSequence`: the one that it is to take the place of (`cas`). */
  put(now: number, item: Item, options: { compareSequence?: bigint | undefined } = {}): number {
    const fault = validateItem(this.#context.ed25519, item);
    if (fault !== undefined) throw new DhtError('invalid-item', describeFault(fault, item));
    const { compareSequence } = options;
    const copy = copyItem(item);
    return this.#begin(now, (id) => new PutOperation(this.#context, id, copy, compareSequence));
  }

  /** Asks nodes towards and around a target which info-hashes they keep (BEP 51). */
  sample(now: number, target: Uint8Array): number {
    checkId(target, 'target');
    return this.#begin(now, (id) => new SampleOperation(this.#context, id, target.slice()));
  }

  /** Estimates how many seeds and downloaders a torrent has (BEP 33). */
  scrape(now: number, infoHash: Uint8Array): number {
    checkId(infoHash, 'infoHash');
    return this.#begin(now, (id) => new ScrapeOperation(this.#context, id, infoHash.slice()));
  }

  /** Stops an operation; it has no further effects. */
  cancel(operation: number): void {
    const running = this.#operations.get(operation);
    if (running === undefined) return;
    this.#operations.delete(operation);
    this.#waiting = this.#waiting.filter((waiting) => waiting !== running);
    running.stop();
  }

  /** The tables and ids as bytes, for `savedTable` of a later run. */
  save(): Uint8Array<ArrayBuffer> {
    const { ipv4, ipv6 } = this.#overlays;
    const taken = [ipv4, ipv6].filter((overlay) => overlay !== undefined);
    return encodeSavedTable(
      taken.map(({ family, id, table }) => ({ family, id, nodes: table.toBytes() })),
    );
  }

  /** What the node has done and knows: plain numbers, fit to be shown or serialised. */
  statistics(now: number): DhtStatistics {
    const c = this.#counters;
    return {
      ipv4: overlayStatistics(now, this.#overlays.ipv4),
      ipv6: overlayStatistics(now, this.#overlays.ipv6),
      stored: this.#stores.counts,
      queriesIn: { ...c.queriesIn },
      queriesOut: { ...c.queriesOut },
      answersIn: c.answersIn,
      errorsIn: c.errorsIn,
      errorsOut: c.errorsOut,
      timeouts: c.timeouts,
      dropped: { ...c.dropped },
      bytesIn: c.bytesIn,
      bytesOut: c.bytesOut,
      lookups: { running: this.#operations.size, ended: c.lookupsEnded },
      queriesUnderWay: this.#querier.underWay,
      roundTripMs: this.#querier.roundTripMs,
    };
  }

  #begin(now: number, make: (id: number) => Operation, awaitsJoin = true): number {
    if (this.#operations.size >= MAX_OPERATIONS) {
      throw new DhtError('busy', `more than ${MAX_OPERATIONS} operations at a time`);
    }
    const operation = make(this.#nextOperation++);
    this.#operations.set(operation.id, operation);
    const join = this.#join;
    if (awaitsJoin && (join.isEntering || join.enterWhenEmpty(now))) this.#waiting.push(operation);
    else operation.start(now);
    return operation.id;
  }

  #handleJoinEnd(now: number, hasJoined: boolean): void {
    if (hasJoined && !this.#hasJoined) this.#effects.push({ type: 'joined' });
    this.#hasJoined ||= hasJoined;
    if (!this.#hasJoined) this.#effects.push({ type: 'unanswered' });
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const operation of waiting) operation.start(now);
  }

  #handleExternalAddress(now: number, overlay: Overlay, random: () => number): void {
    // With another id we have other neighbours.
    if (overlay.renewId(random)) this.#join.start(now);
    const { address } = overlay.externalAddress;
    if (address === undefined) return;
    const { family } = overlay;
    this.#effects.push({ type: 'external-address', family, address: printAddress(address) });
  }

  /** Undefined for what can't be sent to. `allowsLoopback`: our own side has named it, or we are there ourselves. */
  #compactOf(
    endpoint: Endpoint,
    allowsLoopback: boolean,
  ): { overlay: Overlay; bytes: Uint8Array } | undefined {
    const bytes = new Uint8Array(18);
    const length = parseAddressInto(endpoint.address, bytes, 0);
    const { port } = endpoint;
    if (length === 0 || !isPort(port)) return undefined;
    const family = length === 4 ? 4 : 6;
    const overlay = overlayOf(this.#overlays, family);
    if (overlay === undefined) return undefined;
    bytes[length] = port >>> 8;
    bytes[length + 1] = port & 0xff;
    if (isMartianAt(bytes, 0, family, allowsLoopback)) return undefined;
    return { overlay, bytes: bytes.subarray(0, length + 2) };
  }
}

// Of the datagram at hand: one of each serves for all nodes of a process.
const source = new Source();
const message = new Message();

/** Without the behaviour of Node's Buffer, whose `slice` makes no copy. */
function plain(bytes: Uint8Array): Uint8Array {
  return bytes.constructor === Uint8Array
    ? bytes
    : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

function overlayStatistics(
  now: number,
  overlay: Overlay | undefined,
): OverlayStatistics | undefined {
  if (overlay === undefined) return undefined;
  const { address } = overlay.externalAddress;
  return {
    id: Array.from(overlay.id, (byte) => byte.toString(16).padStart(2, '0')).join(''),
    externalAddress: address && printAddress(address),
    nodes: overlay.table.counts(now),
  };
}

function isCount(value: number, max: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= max;
}

function check(isFulfilled: boolean, what: string): void {
  if (!isFulfilled) throw invalid(what);
}

function checkId(id: Uint8Array, name: string): void {
  check(id.length === ID_BYTES, `${name}: 20 bytes`);
}

function invalid(what: string): DhtError {
  return new DhtError('invalid-argument', what);
}
