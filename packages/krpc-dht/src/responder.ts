// The answering half of a node (BEP 5, 32, 33, 42, 43, 44, 51): nodes, peers, items, tokens, errors. Each asker gets so much a
// second, and half of all that is sent is kept for such as we know. An answer never exceeds 1,400 bytes, nor ten times its
// query, six times where nobody has verified the address (threat D3). What is larger waits until the asker has answered a ping.
import type { AddressFamily, Endpoint } from '@bt/endpoint';
import {
  ANSWER_BURST_BYTES,
  ANSWER_BYTES_PER_SECOND,
  ID_BYTES,
  MAX_AMPLIFICATION,
  MAX_ANSWER_BYTES,
  MAX_UNVERIFIED_FACTOR,
  MAX_VALUES,
  MAX_VALUES6,
  NODE6_BYTES,
  NODES_PER_ANSWER,
  PUBLIC_KEY_BYTES,
  QUERIES_PER_SECOND,
  QUERY_BURST,
  SIGNATURE_BYTES,
  TOKEN_BYTES,
} from './constants.ts';
import { datagramMemory } from './datagram.ts';
import type { EffectQueue } from './effects.ts';
import { type ResponseFields, writeError, writeResponse } from './encode.ts';
import { KRPC_ERROR, type KrpcErrorCode } from './errors.ts';
import { type Item, isMutable } from './item.ts';
import type { Message } from './message.ts';
import { Newcomers } from './newcomers.ts';
import { type Overlay, type Overlays, overlayOf } from './overlay.ts';
import type { Querier } from './querier.ts';
import { AddressRateLimit, ByteRateLimit, largeAnswerLimit, pingBackLimit } from './rate-limit.ts';
import type { Source } from './source.ts';
import type { Counters } from './statistics.ts';
import type { Stores } from './stores.ts';
import { Tokens } from './token.ts';
import type { VerifiedAddresses } from './verified-addresses.ts';

export interface ResponderOptions {
  readonly overlays: Overlays;
  readonly querier: Querier;
  readonly effects: EffectQueue;
  readonly counters: Counters;
  readonly stores: Stores;
  readonly random: () => number;
  readonly readOnly: boolean;
  /** Undefined on trusted networks: then there are no rate limits either. */
  readonly verified: VerifiedAddresses | undefined;
  /** A node that asked us, or that we were told of, has answered our ping. */
  readonly onNewcomer: (now: number) => void;
}

export class Responder {
  readonly newcomers: Newcomers;
  readonly #options: ResponderOptions;
  readonly #tokens: Tokens;
  readonly #queryLimit: AddressRateLimit | undefined;
  readonly #byteLimit: ByteRateLimit | undefined;
  readonly #strangersByteLimit: ByteRateLimit | undefined;
  /** Of the query at hand: its address is known to be no forgery. */
  #isVerified = false;

  constructor(options: ResponderOptions) {
    this.#options = options;
    const { random, querier } = options;
    this.#tokens = new Tokens(random);
    const isLimited = options.verified !== undefined;
    this.newcomers = new Newcomers({
      querier,
      pingBackLimit: isLimited ? pingBackLimit(random) : undefined,
      largeAnswerLimit: isLimited ? largeAnswerLimit(random) : undefined,
      release: (now, to, answer) => {
        this.#isVerified = true;
        this.#send(now, to, answer);
      },
      onAnswer: options.onNewcomer,
    });
    if (!isLimited) return;
    this.#queryLimit = new AddressRateLimit({
      ...{ perSecond: QUERIES_PER_SECOND, burst: QUERY_BURST, random },
    });
    this.#byteLimit = new ByteRateLimit(ANSWER_BYTES_PER_SECOND, ANSWER_BURST_BYTES);
    this.#strangersByteLimit = new ByteRateLimit(
      ANSWER_BYTES_PER_SECOND / 2,
      ANSWER_BURST_BYTES / 2,
    );
  }

  /** Answers a query. `isRefused`: the decoder has found fault with it, `message.errorCode` says which. */
  handleQuery(now: number, message: Message, source: Source, isRefused: boolean): void {
    const { counters, overlays, readOnly, verified } = this.#options;
    counters.queriesIn[message.method ?? 'unknown']++;
    const overlay = overlayOf(overlays, source.family)!;
    if (this.#queryLimit?.take(now, source.bytes, 0, source.senderLength) === false) {
      counters.dropped.rateLimited++;
      return;
    }
    if (readOnly) {
      this.#handleAsReadOnly(now, message, source, isRefused);
      return;
    }
    if (isRefused) {
      this.#isVerified = verified?.has(now, source) ?? true;
      this.#refuse(now, message, source, message.errorCode as KrpcErrorCode, message.reason);
      return;
    }
    const node = askerOf(message, source);
    const isKnown = overlay.table.handleQuery(now, node);
    this.#isVerified = isKnown || verified === undefined || verified.has(now, source);
    this.#answer(now, message, source, overlay, node);
    if (!isKnown && !message.readOnly) this.newcomers.handleAsker(now, overlay, source, node);
  }

  /**
   * BEP 43: answers nobody, but for a ping of somebody whom we ask something just now: his answer is too large for an address
   * that may be forged, and waits for ours.
   */
  #handleAsReadOnly(now: number, message: Message, source: Source, isRefused: boolean): void {
    const { counters, querier } = this.#options;
    if (isRefused || message.method !== 'ping' || !querier.isAsking(source)) {
      counters.dropped.readOnly++;
      return;
    }
    this.#isVerified = true;
    this.#respond(now, message, source, NO_FIELDS, undefined);
  }

  #answer(now: number, message: Message, source: Source, overlay: Overlay, node: Uint8Array): void {
    // Undefined: the bounds that the encoder sets to every answer.
    const maxBytes = this.#isVerified
      ? undefined
      : Math.min(MAX_ANSWER_BYTES, MAX_UNVERIFIED_FACTOR * message.bytes.length);
    switch (message.method) {
      case 'ping':
        this.#respond(now, message, source, NO_FIELDS, maxBytes);
        return;
      case 'find_node':
        this.#respond(now, message, source, this.#nodes(message, source.family), maxBytes);
        return;
      case 'get_peers': {
        const fields = this.#peersFields(now, message, source);
        const large = message.scrape
          ? this.#options.stores.peers?.filters(now, message.bytes, message.targetAt)
          : undefined;
        const filters = large && { seedFilter: large.seeds, peerFilter: large.downloaders };
        this.#respondAtLarge(now, message, source, overlay, node, fields, filters, maxBytes);
        return;
      }
      case 'get': {
        const fields = this.#nodesAndToken(now, message, source);
        const item = this.#options.stores.items?.get(now, message.bytes, message.targetAt);
        const large = item && itemFields(item, message);
        this.#respondAtLarge(now, message, source, overlay, node, fields, large, maxBytes);
        return;
      }
      case 'sample_infohashes':
        this.#respond(now, message, source, this.#sampleFields(now, message, source), maxBytes);
        return;
      case 'announce_peer':
        this.#handleAnnounce(now, message, source);
        return;
      case 'put':
        this.#handlePut(now, message, source);
        return;
      default:
        this.#refuse(now, message, source, KRPC_ERROR.methodUnknown, 'method unknown');
    }
  }

  /** `nodes` and `nodes6`: what was asked for, or the family of the datagram (BEP 32 "want"). */
  #nodes(message: Message, family: AddressFamily): Fields {
    const asks = message.wantsIpv4 || message.wantsIpv6;
    const fields = new Fields();
    if (asks ? message.wantsIpv4 : family === 4) fields.nodes = this.#closest(message, 4);
    if (asks ? message.wantsIpv6 : family === 6) fields.nodes6 = this.#closest(message, 6);
    return fields;
  }

  #closest(message: Message, family: AddressFamily): Uint8Array | undefined {
    const table = overlayOf(this.#options.overlays, family)?.table;
    if (table === undefined) return undefined;
    const into = family === 4 ? closest4 : closest6;
    const found = table.closest(message.bytes, message.targetAt, NODES_PER_ANSWER, into, 0);
    return found === NODES_PER_ANSWER ? into : into.subarray(0, found * table.nodeBytes);
  }

  #nodesAndToken(now: number, message: Message, source: Source): Fields {
    const fields = this.#nodes(message, source.family);
    this.#tokens.write(now, source.bytes, 0, source.addressLength, token, 0);
    fields.token = token;
    return fields;
  }

  #peersFields(now: number, message: Message, source: Source): Fields {
    const fields = this.#nodesAndToken(now, message, source);
    const { peers } = this.#options.stores;
    if (peers === undefined) return fields;
    const { bytes, targetAt, noSeed } = message;
    const { family } = source;
    const count = family === 4 ? MAX_VALUES : MAX_VALUES6;
    const end = peers.sample(now, bytes, targetAt, family, noSeed, count, values, 0);
    // BEP 33: without a token nobody announces here, but to our neighbours.
    if (!peers.hasRoom(bytes, targetAt, family, source.bytes)) fields.token = undefined;
    if (end === 0) return fields;
    fields.values = values.subarray(0, end);
    fields.valueBytes = family === 4 ? 6 : 18;
    return fields;
  }

  #sampleFields(now: number, message: Message, source: Source): Fields {
    const fields = this.#nodes(message, source.family);
    const { peers } = this.#options.stores;
    const sample = peers?.sampleHashes(now);
    fields.samples = sample?.samples ?? NO_BYTES;
    fields.hashCount = peers?.hashCount ?? 0;
    fields.intervalSeconds = sample?.intervalSeconds ?? 0;
    return fields;
  }

  /** Responds with fields that may be much more than was asked with: an item, or filters. */
  #respondAtLarge(
    now: number,
    message: Message,
    source: Source,
    overlay: Overlay,
    node: Uint8Array,
    fields: Fields,
    large: ResponseFields | undefined,
    maxBytes: number | undefined,
  ): void {
    if (large === undefined) {
      this.#respond(now, message, source, fields, maxBytes);
      return;
    }
    const { counters, verified } = this.#options;
    const { length } = message.bytes;
    // What is large comes first, nodes and peers get the room that it leaves.
    const most =
      verified === undefined
        ? MAX_ANSWER_BYTES
        : Math.min(MAX_ANSWER_BYTES, maxBytes ?? MAX_AMPLIFICATION * length);
    const all = Object.assign(new Fields(), fields, large);
    const answer = this.#write(message, source, all, most);
    if (answer.length <= most) {
      this.#send(now, source.endpoint, answer);
      return;
    }
    // Too much for an address that may be forged: it follows when the asker has answered a ping. Where that can't be waited for
    // he gets the rest, and of a mutable item the number, so that he knows of it.
    const whole = this.#write(message, source, all, MAX_ANSWER_BYTES);
    const asker = { overlay, source, node, isReadOnly: message.readOnly };
    if (this.newcomers.hold(now, asker, whole, this.#isVerified)) return;
    counters.dropped.unverified++;
    fields.sequence = large.sequence;
    this.#respond(now, message, source, fields, maxBytes);
  }

  #handleAnnounce(now: number, message: Message, source: Source): void {
    if (!this.#hasToken(now, message, source)) {
      this.#refuse(now, message, source, KRPC_ERROR.protocol, 'bad token');
      return;
    }
    const { addressLength, family } = source;
    for (let i = 0; i < addressLength + 2; i++) peer[i] = source.bytes[i]!;
    if (!message.impliedPort) {
      peer[addressLength] = message.port >>> 8;
      peer[addressLength + 1] = message.port & 0xff;
    }
    const { bytes, targetAt, seed } = message;
    const outcome = this.#options.stores.announce(now, bytes, targetAt, peer, family, seed);
    if (outcome === 'stored') this.#respond(now, message, source, NO_FIELDS, undefined);
    else if (outcome === 'full') this.#refuse(now, message, source, KRPC_ERROR.server, 'full');
    else this.#refuse(now, message, source, KRPC_ERROR.protocol, 'no port of a peer');
  }

  #handlePut(now: number, message: Message, source: Source): void {
    if (!this.#hasToken(now, message, source)) {
      this.#refuse(now, message, source, KRPC_ERROR.protocol, 'bad token');
      return;
    }
    const { bytes, family } = source;
    const { compareSequence } = message;
    const code = this.#options.stores.put(now, itemOf(message), compareSequence, bytes, family);
    if (code === undefined) this.#respond(now, message, source, NO_FIELDS, undefined);
    else this.#refuse(now, message, source, code, 'item refused');
  }

  #hasToken(now: number, message: Message, source: Source): boolean {
    const { bytes, tokenAt, tokenLength } = message;
    if (tokenAt < 0) return false;
    const { addressLength } = source;
    const { bytes: address } = source;
    if (!this.#tokens.check(now, address, 0, addressLength, bytes, tokenAt, tokenLength))
      return false;
    // The token has reached this address.
    this.#isVerified = true;
    return true;
  }

  #respond(
    now: number,
    message: Message,
    source: Source,
    fields: ResponseFields,
    maxBytes: number | undefined,
  ): void {
    this.#send(now, source.endpoint, this.#write(message, source, fields, maxBytes));
  }

  #write(
    message: Message,
    source: Source,
    fields: ResponseFields,
    maxBytes: number | undefined,
  ): Uint8Array {
    datagramMemory.reserve();
    const { target, offset } = datagramMemory;
    const { sender } = overlayOf(this.#options.overlays, source.family)!;
    const { compact } = source;
    return datagramMemory.take(
      writeResponse(target, offset, sender, message, fields, compact, maxBytes),
    );
  }

  #refuse(now: number, message: Message, source: Source, code: KrpcErrorCode, text: string): void {
    datagramMemory.reserve();
    const { target, offset } = datagramMemory;
    const { sender } = overlayOf(this.#options.overlays, source.family)!;
    const { compact } = source;
    this.#options.counters.errorsOut++;
    const end = writeError(target, offset, sender, message, code, text, compact);
    this.#send(now, source.endpoint, datagramMemory.take(end));
  }

  #send(now: number, to: Endpoint, bytes: Uint8Array): void {
    const { counters, effects } = this.#options;
    if (this.#byteLimit !== undefined && !this.#hasBudget(now, bytes.length)) {
      counters.dropped.rateLimited++;
      return;
    }
    counters.bytesOut += bytes.length;
    effects.push({ type: 'send', to, bytes });
  }

  /** Strangers share half of it, so that no flood of forged queries makes us mute for those we know. */
  #hasBudget(now: number, lengthBytes: number): boolean {
    if (!this.#isVerified && !this.#strangersByteLimit!.take(now, lengthBytes)) return false;
    return this.#byteLimit!.take(now, lengthBytes);
  }
}

/** The fields of an answer. Of one class they all have one shape, which saves a get_peers a quarter of its CPU (measured). */
class Fields implements ResponseFields {
  nodes: Uint8Array | undefined = undefined;
  nodes6: Uint8Array | undefined = undefined;
  token: Uint8Array | undefined = undefined;
  values: Uint8Array | undefined = undefined;
  valueBytes: 6 | 18 | undefined = undefined;
  seedFilter: Uint8Array | undefined = undefined;
  peerFilter: Uint8Array | undefined = undefined;
  intervalSeconds: number | undefined = undefined;
  hashCount: number | undefined = undefined;
  samples: Uint8Array | undefined = undefined;
  value: Uint8Array | undefined = undefined;
  publicKey: Uint8Array | undefined = undefined;
  signature: Uint8Array | undefined = undefined;
  sequence: bigint | undefined = undefined;
}

const NO_FIELDS: Readonly<Fields> = new Fields();
const NO_BYTES = new Uint8Array();

// Parts of the answer at hand. Nothing calls back between filling one and writing the answer.
const closest4 = new Uint8Array(NODES_PER_ANSWER * 26);
const closest6 = new Uint8Array(NODES_PER_ANSWER * NODE6_BYTES);
const token = new Uint8Array(TOKEN_BYTES);
const values = new Uint8Array(Math.max(MAX_VALUES * 6, MAX_VALUES6 * 18));
const peer = new Uint8Array(18);
const asker4 = new Uint8Array(26);
const asker6 = new Uint8Array(38);

/** The compact node info of the sender of a query. */
function askerOf(message: Message, source: Source): Uint8Array {
  const node = source.family === 4 ? asker4 : asker6;
  for (let i = 0; i < ID_BYTES; i++) node[i] = message.bytes[message.idAt + i]!;
  for (let i = ID_BYTES; i < node.length; i++) node[i] = source.bytes[i - ID_BYTES]!;
  return node;
}

/** BEP 44: an item that is no newer than the asker's `seq` is told by its sequence number alone. */
function itemFields(item: Item, message: Message): ResponseFields {
  if (!isMutable(item)) return { value: item.value };
  const { value, publicKey, signature, sequence } = item;
  if (message.sequence !== undefined && sequence <= message.sequence) return { sequence };
  return { value, publicKey, signature, sequence };
}

/** Views on the datagram. */
function itemOf(message: Message): Item {
  const value = message.view(message.valueAt, message.valueLength);
  const { publicKeyAt, signatureAt, saltAt, saltLength, sequence } = message;
  if (publicKeyAt < 0) return { value };
  return {
    value,
    publicKey: message.view(publicKeyAt, PUBLIC_KEY_BYTES),
    salt: saltAt < 0 ? NO_BYTES : message.view(saltAt, saltLength),
    sequence: sequence ?? 0n,
    signature: message.view(signatureAt, SIGNATURE_BYTES),
  };
}
