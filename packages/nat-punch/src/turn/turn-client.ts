// The client's side of a TURN allocation (RFC 8656), over datagrams or a stream: allocates, keeps the allocation, its permissions and channels
// alive, and wraps and unwraps the datagrams that it relays.
import { type AddressFamily, type Endpoint, endpointKey } from '@bt/endpoint';
import { NatPunchError } from '../errors.ts';
import { STUN_ATTRIBUTE, STUN_FAMILY, TRANSPORT_UDP } from '../stun/stun-attributes.ts';
import {
  decodeStunMessage,
  STUN_METHOD,
  type StunMessage,
  StunWriter,
} from '../stun/stun-message.ts';
import {
  DATAGRAM_TIMES_MS,
  type LongTermCredentials,
  QUICK_TIMES_MS,
  STREAM_TIMES_MS,
  type StunOutcome,
  StunRequest,
} from '../stun/stun-request.ts';
import {
  CHANNEL_DATA_HEADER_BYTES,
  channelDataLength,
  channelOf,
  encodeChannelData,
  MAX_CHANNEL,
  MIN_CHANNEL,
} from './channel-data.ts';

/** Permissions and channels that a client keeps. */
export const MAX_CLIENT_PERMISSIONS = 48;
export const MAX_CLIENT_CHANNELS = 16;
/** A permission makes room for another one when it was last asked for so long ago: a peer can name addresses as fast as it likes. */
export const PERMISSION_REST_MS = 5_000;

/** RFC 8656 section 3.2: the lifetime that is asked for. */
const LIFETIME_SECONDS = 600;
/** A permission lives for 300 s and a channel for 600 s (RFC 8656 sections 9 and 12): they are renewed in time for some lost requests. */
const PERMISSION_RENEWAL_MS = 200_000;
const CHANNEL_RENEWAL_MS = 420_000;
/** An allocation is renewed when this share of its lifetime is over. */
const RENEWAL_SHARE = 0.5;
const MIN_RENEWAL_MS = 5_000;
/** Over TCP lost packets take longer. */
const URGENT_STREAM_TIMES_MS = [0, 900] as const;

export interface TurnClientOptions {
  readonly credentials: LongTermCredentials;
  readonly isStream: boolean;
  readonly randomBytes: (length: number) => Uint8Array;
  /** Of the relayed address. Default 4. */
  readonly family?: AddressFamily;
}

export type TurnClientEffect =
  /** To the server. Over a stream messages are sent as they are: they tell their length. */
  | { readonly type: 'send'; readonly bytes: Uint8Array }
  /** `mapped` is where the server sees us. */
  | { readonly type: 'allocated'; readonly relayed: Endpoint; readonly mapped: Endpoint }
  /** There is no allocation, or none any more. */
  | { readonly type: 'failed'; readonly error: NatPunchError }
  /** The server lets nothing through to this address. */
  | { readonly type: 'refused'; readonly peer: Endpoint };

interface RelayedDatagram {
  readonly peer: Endpoint;
  /** A view on what was handed in. */
  readonly bytes: Uint8Array;
}

interface Channel {
  readonly number: number;
  readonly peer: Endpoint;
  /** Whether the server has confirmed it, so that it may be used. */
  isBound: boolean;
  renewMs: number;
}

interface Permission {
  peer: Endpoint;
  askedMs: number;
  renewMs: number;
  request: StunRequest | undefined;
}

type Settle = (now: number, outcome: StunOutcome) => void;

/** Drain `poll()` after every call; call `handleTimeout` when `deadline()` has come. */
export class TurnClient {
  readonly #options: TurnClientOptions;
  readonly #requests = new Map<StunRequest, Settle>();
  readonly #effects: TurnClientEffect[] = [];
  /** The one that was asked for longest ago comes first. */
  readonly #permissions = new Map<string, Permission>();
  readonly #channels = new Map<string, Channel>();
  readonly #peers = new Map<number, Endpoint>();
  #relayed: Endpoint | undefined;
  #state: 'allocating' | 'allocated' | 'over' = 'allocating';
  #renewMs = Number.POSITIVE_INFINITY;
  #nextChannel = MIN_CHANNEL;
  #serial = 0;

  constructor(now: number, options: TurnClientOptions) {
    this.#options = options;
    const family = options.family ?? 4;
    this.#request(
      now,
      STUN_METHOD.allocate,
      this.#timesMs(),
      this.#writeAllocate(family),
      (...result) => this.#handleAllocated(...result),
    );
  }

  /** Our address on the server. */
  get relayed(): Endpoint | undefined {
    return this.#relayed;
  }

  get isOver(): boolean {
    return this.#state === 'over';
  }

  /**
   * Lets datagrams of a peer in, from whatever port of its address. Of too many the one goes that was asked for longest ago and has no channel,
   * unless that is too fresh; then this one isn't let in.
   */
  permit(now: number, peer: Endpoint): void {
    const known = this.#permissions.get(peer.address);
    if (known !== undefined) {
      // A server may judge its own addresses by the port: what is named last is what lives.
      known.peer = peer;
      known.askedMs = now;
      this.#permissions.delete(peer.address);
      this.#permissions.set(peer.address, known);
      return;
    }
    if (this.#permissions.size >= MAX_CLIENT_PERMISSIONS && !this.#makeRoom(now)) return;
    this.#permissions.set(peer.address, {
      peer,
      askedMs: now,
      renewMs: Number.POSITIVE_INFINITY,
      request: undefined,
    });
    if (this.#state === 'allocated') this.#requestPermission(now, peer);
  }

  /** Has the server use 4 bytes of overhead instead of 36 for this peer, as soon as it has agreed. */
  bindChannel(now: number, peer: Endpoint): void {
    const key = endpointKey(peer);
    if (this.#channels.has(key) || this.#channels.size >= MAX_CLIENT_CHANNELS) return;
    if (this.#nextChannel > MAX_CHANNEL || this.#state !== 'allocated') return;
    const number = this.#nextChannel++;
    const channel = { number, peer, isBound: false, renewMs: Number.POSITIVE_INFINITY };
    this.#channels.set(key, channel);
    this.#peers.set(number, peer);
    this.#requestChannel(now, channel);
  }

  /**
   * Asks whether the server still knows us: after a NAT has forgotten our mapping it doesn't, and `failed` follows; in less than a second when
   * it `isUrgent`.
   */
  verify(now: number, isUrgent: boolean): void {
    if (this.#state !== 'allocated') return;
    const urgentTimesMs = this.#options.isStream ? URGENT_STREAM_TIMES_MS : QUICK_TIMES_MS;
    this.#refresh(now, isUrgent ? urgentTimesMs : this.#timesMs());
  }

  /** Wraps a datagram for a peer: it is to be sent to the server. */
  wrap(peer: Endpoint, datagram: Uint8Array): Uint8Array {
    const channel = this.#channels.get(endpointKey(peer));
    if (channel?.isBound === true) {
      return encodeChannelData(channel.number, datagram, this.#options.isStream);
    }
    // Nobody answers an indication: its id needs no randomness.
    const id = new Uint8Array(12);
    new DataView(id.buffer).setUint32(8, this.#serial++);
    return new StunWriter('indication', STUN_METHOD.send, id)
      .xorAddress(STUN_ATTRIBUTE.xorPeerAddress, peer)
      .bytes(STUN_ATTRIBUTE.data, datagram)
      .finish();
  }

  /** A message from the server: a datagram, or one that was cut out of the stream. Gives what it relays. */
  handleMessage(now: number, message: Uint8Array): RelayedDatagram | undefined {
    const channel = channelOf(message);
    if (channel !== undefined) {
      const peer = this.#peers.get(channel);
      if (peer === undefined) return undefined;
      const end = CHANNEL_DATA_HEADER_BYTES + channelDataLength(message);
      return { peer, bytes: message.subarray(CHANNEL_DATA_HEADER_BYTES, end) };
    }
    const stun = decodeStunMessage(message);
    if (stun === undefined) return undefined;
    if (stun.class === 'indication') return relayedBy(stun);
    for (const [request, settle] of this.#requests) {
      if (!request.handleMessage(now, stun)) continue;
      this.#follow(now, request, settle);
      break;
    }
    return undefined;
  }

  /** The stream has ended, or the socket failed. */
  handleDisconnect(cause?: unknown): void {
    this.#fail(
      new NatPunchError('unreachable', 'the connection to the relay has ended', { cause }),
    );
  }

  handleTimeout(now: number): void {
    for (const [request, settle] of [...this.#requests]) {
      request.handleTimeout(now);
      this.#follow(now, request, settle);
    }
    if (this.#state !== 'allocated') return;
    if (now >= this.#renewMs) this.#refresh(now, this.#timesMs());
    for (const permission of this.#permissions.values()) {
      if (now >= permission.renewMs) this.#requestPermission(now, permission.peer);
    }
    for (const channel of this.#channels.values()) {
      if (now >= channel.renewMs) this.#requestChannel(now, channel);
    }
  }

  deadline(): number {
    let next = this.#state === 'allocated' ? this.#renewMs : Number.POSITIVE_INFINITY;
    for (const request of this.#requests.keys()) next = Math.min(next, request.deadline());
    if (this.#state !== 'allocated') return next;
    for (const { renewMs } of this.#permissions.values()) next = Math.min(next, renewMs);
    for (const { renewMs } of this.#channels.values()) next = Math.min(next, renewMs);
    return next;
  }

  poll(): TurnClientEffect | undefined {
    return this.#effects.shift();
  }

  /** Gives the allocation back: the last thing that `poll()` gives is a message that says so. */
  close(now: number): void {
    if (this.#state === 'over') return;
    // What was asked for with the server's nonce may have been allocated by now: its answer would come too late.
    const mayHaveOne = this.#state === 'allocated' || this.#options.credentials.nonce !== undefined;
    this.#end();
    this.#effects.length = 0;
    if (!mayHaveOne) return;
    const request = this.#makeRequest(now, STUN_METHOD.refresh, STREAM_TIMES_MS, (writer) => {
      writer.uint32(STUN_ATTRIBUTE.lifetime, 0);
    });
    const bytes = request.poll();
    if (bytes !== undefined) this.#effects.push({ type: 'send', bytes });
  }

  #timesMs(): readonly number[] {
    return this.#options.isStream ? STREAM_TIMES_MS : DATAGRAM_TIMES_MS;
  }

  #writeAllocate(family: AddressFamily): (writer: StunWriter) => void {
    return (writer) => {
      writer.uint32(STUN_ATTRIBUTE.requestedTransport, TRANSPORT_UDP * 0x100_0000);
      writer.uint32(STUN_ATTRIBUTE.lifetime, LIFETIME_SECONDS);
      if (family === 6)
        writer.uint32(STUN_ATTRIBUTE.requestedAddressFamily, STUN_FAMILY[6] * 0x100_0000);
    };
  }

  #handleAllocated(now: number, outcome: StunOutcome): void {
    if (outcome.type !== 'success') {
      this.#fail(errorOf(outcome, 'no relay'));
      return;
    }
    const relayed = outcome.message.xorAddress(STUN_ATTRIBUTE.xorRelayedAddress);
    const mapped = outcome.message.xorAddress(STUN_ATTRIBUTE.xorMappedAddress);
    if (relayed === undefined || mapped === undefined) {
      this.#fail(new NatPunchError('invalid-message', 'the relay told no address'));
      return;
    }
    this.#state = 'allocated';
    this.#relayed = relayed;
    this.#planRenewal(now, outcome.message);
    this.#effects.push({ type: 'allocated', relayed, mapped });
    for (const { peer } of this.#permissions.values()) this.#requestPermission(now, peer);
  }

  #refresh(now: number, timesMs: readonly number[]): void {
    this.#renewMs = Number.POSITIVE_INFINITY;
    const write = (writer: StunWriter) => {
      writer.uint32(STUN_ATTRIBUTE.lifetime, LIFETIME_SECONDS);
    };
    this.#request(now, STUN_METHOD.refresh, timesMs, write, (answeredMs, outcome) => {
      if (outcome.type === 'success') this.#planRenewal(answeredMs, outcome.message);
      else this.#fail(errorOf(outcome, 'the relay has let us go'));
    });
  }

  #planRenewal(now: number, message: StunMessage): void {
    const seconds = message.uint32(STUN_ATTRIBUTE.lifetime) ?? LIFETIME_SECONDS;
    const lifetimeMs = 1_000 * Math.min(seconds, LIFETIME_SECONDS);
    this.#renewMs = now + Math.max(MIN_RENEWAL_MS, RENEWAL_SHARE * lifetimeMs);
  }

  #requestPermission(now: number, peer: Endpoint): void {
    const permission = this.#permissions.get(peer.address);
    if (permission === undefined) return;
    permission.renewMs = Number.POSITIVE_INFINITY;
    const write = (writer: StunWriter) => {
      writer.xorAddress(STUN_ATTRIBUTE.xorPeerAddress, peer);
    };
    permission.request = this.#request(
      now,
      STUN_METHOD.createPermission,
      this.#timesMs(),
      write,
      (answeredMs, outcome) => {
        permission.request = undefined;
        if (outcome.type === 'success') {
          permission.renewMs = answeredMs + PERMISSION_RENEWAL_MS;
          return;
        }
        this.#permissions.delete(peer.address);
        if (outcome.type === 'error') this.#effects.push({ type: 'refused', peer });
      },
    );
  }

  #makeRoom(now: number): boolean {
    const used = new Set([...this.#peers.values()].map(({ address }) => address));
    for (const [address, { askedMs, request }] of this.#permissions) {
      if (used.has(address) || now - askedMs < PERMISSION_REST_MS) continue;
      this.#permissions.delete(address);
      if (request !== undefined) this.#requests.delete(request);
      return true;
    }
    return false;
  }

  #requestChannel(now: number, channel: Channel): void {
    channel.renewMs = Number.POSITIVE_INFINITY;
    const write = (writer: StunWriter) => {
      writer.uint32(STUN_ATTRIBUTE.channelNumber, channel.number * 0x1_0000);
      writer.xorAddress(STUN_ATTRIBUTE.xorPeerAddress, channel.peer);
    };
    this.#request(now, STUN_METHOD.channelBind, this.#timesMs(), write, (answeredMs, outcome) => {
      channel.isBound = outcome.type === 'success';
      if (channel.isBound) channel.renewMs = answeredMs + CHANNEL_RENEWAL_MS;
    });
  }

  #makeRequest(
    now: number,
    method: number,
    timesMs: readonly number[],
    write: (writer: StunWriter) => void,
  ): StunRequest {
    const { credentials, randomBytes } = this.#options;
    return new StunRequest(now, { method, write, credentials, timesMs, randomBytes });
  }

  #request(
    now: number,
    method: number,
    timesMs: readonly number[],
    write: (writer: StunWriter) => void,
    settle: Settle,
  ): StunRequest {
    const request = this.#makeRequest(now, method, timesMs, write);
    this.#requests.set(request, settle);
    this.#follow(now, request, settle);
    return request;
  }

  #follow(now: number, request: StunRequest, settle: Settle): void {
    const bytes = request.poll();
    if (bytes !== undefined) this.#effects.push({ type: 'send', bytes });
    const { outcome } = request;
    if (outcome === undefined) return;
    this.#requests.delete(request);
    if (this.#state !== 'over') settle(now, outcome);
  }

  #fail(error: NatPunchError): void {
    if (this.#state === 'over') return;
    this.#end();
    this.#effects.push({ type: 'failed', error });
  }

  #end(): void {
    this.#state = 'over';
    this.#requests.clear();
  }
}

function relayedBy(message: StunMessage): RelayedDatagram | undefined {
  if (message.method !== STUN_METHOD.data) return undefined;
  const peer = message.xorAddress(STUN_ATTRIBUTE.xorPeerAddress);
  const bytes = message.value(STUN_ATTRIBUTE.data);
  return peer === undefined || bytes === undefined ? undefined : { peer, bytes };
}

function errorOf(outcome: StunOutcome, what: string): NatPunchError {
  if (outcome.type === 'error') {
    const { code, reason } = outcome;
    return new NatPunchError('stun-error', `${what}: ${code} ${reason}`.trim(), { stunCode: code });
  }
  return new NatPunchError('timeout', `${what}: no answer`);
}
