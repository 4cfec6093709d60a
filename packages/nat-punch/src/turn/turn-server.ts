// The STUN and TURN server as a machine: Binding (RFC 8489, RFC 5780), Allocate, Refresh, CreatePermission, ChannelBind, Send and ChannelData
// (RFC 8656). Before a request is authenticated nothing is remembered of it. Sockets and time are arguments. What it sends goes through direct
// calls (`ClientLink`, `RelaySocket`) instead of effects, so that a relayed datagram costs no object.
import type { AddressFamily, Endpoint } from '@bt/endpoint';
import type { ClientLink, ClientTransport } from '../client-link.ts';
import { AddressRateLimit } from '../rate-limit.ts';
import { bindingAnswer, readBindingRequest } from '../stun/binding-server.ts';
import { STUN_ATTRIBUTE, STUN_FAMILY } from '../stun/stun-attributes.ts';
import { isEqual } from '../stun/stun-integrity.ts';
import { STUN_METHOD, type StunMessage, StunWriter } from '../stun/stun-message.ts';
import {
  type AllocateRequest,
  lifetimeMs,
  readAllocateRequest,
  requestedFamily,
} from './allocate-request.ts';
import { AllocationTable } from './allocation-table.ts';
import { MAX_CHANNEL, MIN_CHANNEL } from './channel-data.ts';
import { type Authenticated, LongTermAuth, type Refusal } from './long-term-auth.ts';
import {
  MAX_CHALLENGE_FACTOR,
  RATE_LIMIT_SLOTS,
  REQUEST_BURST,
  REQUESTS_PER_SECOND,
} from './relay-limits.ts';
import type { Reach, RelayAccess, RelayPolicy } from './relay-policy.ts';
import type { RelaySocket, RelaySockets } from './relay-socket.ts';
import type { RelayUser } from './relay-user.ts';
import { type AllocationOwner, TurnAllocation } from './turn-allocation.ts';

export interface TurnServerOptions {
  /** 1 to 32 bytes. */
  readonly realm: string;
  readonly access: RelayAccess;
  readonly policy: RelayPolicy;
  readonly sockets: RelaySockets;
  /** Unguessable bytes. */
  readonly randomBytes: (length: number) => Uint8Array;
  /** Allocations of an account; 100 unless told otherwise. */
  readonly quota?: number | undefined;
  /** Requests of an address a second; 200 unless told otherwise, Infinity for no limit. */
  readonly requestsPerSecond?: number | undefined;
  /** Bytes relayed for a user a second; 32 MiB unless told otherwise, Infinity for no limit. */
  readonly bytesPerSecond?: number | undefined;
  /** Bytes relayed in all a second; no limit unless told otherwise. */
  readonly totalBytesPerSecond?: number | undefined;
  readonly events?: TurnServerEvents | undefined;
}

export interface TurnServerEvents {
  /** A user was answered at this address: he has received a nonce there, and has the password. */
  onSeen?(username: string, reflexive: Endpoint, transport: ClientTransport): void;
  onAllocation?(username: string, relayed: Endpoint): void;
  onAllocationEnd?(username: string, relayed: Endpoint): void;
}

export interface TurnStatistics {
  /** Binding requests answered. */
  bindings: number;
  /** Requests answered with 401 or 438. */
  challenges: number;
  /** Requests that were not answered, because their address had sent too many. */
  limited: number;
  relayedPackets: number;
  relayedBytes: number;
  /** Datagrams that were to be relayed, and were not: without permission, beyond a user's rate, or for a client that didn't keep up. */
  droppedPackets: number;
}

/** A request whose sender is known. */
interface Call {
  readonly now: number;
  readonly request: StunMessage;
  readonly link: ClientLink;
  readonly sender: Authenticated;
}

/** An address as a message names it. */
interface WirePeer {
  readonly endpoint: Endpoint;
  /** On the wire: of an IPv4-mapped address it is 6. */
  readonly family: AddressFamily;
}

/** RFC 8489 section 14.8, RFC 8656 section 19. Told to who has authenticated himself. */
const REASONS = {
  400: 'Bad Request',
  403: 'Forbidden',
  420: 'Unknown Attribute',
  437: 'Allocation Mismatch',
  440: 'Address Family not Supported',
  441: 'Wrong Credentials',
  442: 'Unsupported Transport Protocol',
  443: 'Peer Address Family Mismatch',
  486: 'Allocation Quota Reached',
  508: 'Insufficient Capacity',
} as const;

type Fault = keyof typeof REASONS;

/** What a request gets: an error, a success with these attributes, or no answer (yet). */
type Outcome = Fault | ((writer: StunWriter) => void) | undefined;

const SUCCESS = (): void => undefined;

/** Attributes of TURN messages that are understood. DONT-FRAGMENT is not: Node's sockets can't set that bit. */
const KNOWN: ReadonlySet<number> = new Set([
  STUN_ATTRIBUTE.mappedAddress,
  STUN_ATTRIBUTE.username,
  STUN_ATTRIBUTE.messageIntegrity,
  STUN_ATTRIBUTE.errorCode,
  STUN_ATTRIBUTE.unknownAttributes,
  STUN_ATTRIBUTE.channelNumber,
  STUN_ATTRIBUTE.lifetime,
  STUN_ATTRIBUTE.xorPeerAddress,
  STUN_ATTRIBUTE.data,
  STUN_ATTRIBUTE.realm,
  STUN_ATTRIBUTE.nonce,
  STUN_ATTRIBUTE.xorRelayedAddress,
  STUN_ATTRIBUTE.requestedAddressFamily,
  STUN_ATTRIBUTE.evenPort,
  STUN_ATTRIBUTE.requestedTransport,
  STUN_ATTRIBUTE.messageIntegritySha256,
  STUN_ATTRIBUTE.xorMappedAddress,
  STUN_ATTRIBUTE.reservationToken,
]);

export class TurnServer {
  readonly statistics: TurnStatistics = {
    bindings: 0,
    challenges: 0,
    limited: 0,
    relayedPackets: 0,
    relayedBytes: 0,
    droppedPackets: 0,
  };
  readonly #options: TurnServerOptions;
  readonly #auth: LongTermAuth;
  /** Of addresses that may be forged, and of those that were proved: a flood in a client's name doesn't keep it from refreshing. */
  readonly #unproved: AddressRateLimit;
  readonly #proved: AddressRateLimit;
  readonly #table: AllocationTable;
  readonly #owner: AllocationOwner;
  #isDraining = false;
  #isClosed = false;

  /** @throws {NatPunchError} `invalid-argument` for a realm that is empty or too long. */
  constructor(options: TurnServerOptions) {
    const { access, policy, randomBytes, events } = options;
    this.#options = options;
    this.#auth = new LongTermAuth({
      realm: options.realm,
      secret: randomBytes(32),
      passwordOf: (username, now) => access.passwordOf(username, now),
      accountOf: (username) => access.accountOf?.(username) ?? username,
    });
    const limit = {
      perSecond: options.requestsPerSecond ?? REQUESTS_PER_SECOND,
      burst: REQUEST_BURST,
      slots: RATE_LIMIT_SLOTS,
      random: () => randomBytes(4).reduce((number, byte) => 256 * number + byte, 0) / 2 ** 32,
    };
    this.#unproved = new AddressRateLimit(limit);
    this.#proved = new AddressRateLimit(limit);
    this.#table = new AllocationTable({
      quota: options.quota,
      bytesPerSecond: options.bytesPerSecond,
      totalBytesPerSecond: options.totalBytesPerSecond,
      onAllocation: (username, relayed) => events?.onAllocation?.(username, relayed),
      onAllocationEnd: (username, relayed) => events?.onAllocationEnd?.(username, relayed),
    });
    this.#owner = {
      statistics: this.statistics,
      allows: (username, peer) => policy.reach(username, peer) !== undefined,
      allocationAt: (relayed) => this.#table.at(relayed),
    };
  }

  /** How many allocations there are. */
  get allocationCount(): number {
    return this.#table.size;
  }

  /** How many relay sockets each account has, those reserved for its next allocation included. */
  get socketsByUser(): Map<string, number> {
    return this.#table.socketsByUser;
  }

  /** Allocates nothing more; what is allocated goes on. */
  drain(): void {
    this.#isDraining = true;
  }

  /** Ends all allocations of an account that is a user's no more. */
  endAccount(account: string): void {
    this.#table.endAccount(account);
  }

  /** When {@link handleTimeout} has something to do; undefined when nothing runs out. */
  deadline(): number | undefined {
    return this.#table.deadline();
  }

  /** Ends what has run out. */
  handleTimeout(now: number): void {
    this.#table.sweep(now);
  }

  /** A client's 5-tuple is gone: its connection has closed (RFC 8656 section 3.2). */
  handleLinkClosed(link: ClientLink): void {
    this.#table.linkClosed(link);
  }

  /** Ends all allocations, and makes no more. */
  close(): void {
    this.#isDraining = true;
    this.#isClosed = true;
    this.#table.clear();
  }

  /** A STUN message of a client. What is neither a request nor a Send indication is dropped, and so is an unknown method. */
  handleMessage(now: number, message: StunMessage, link: ClientLink): void {
    if (message.class === 'request') this.#handleRequest(now, message, link);
    else if (message.class === 'indication' && message.method === STUN_METHOD.send) {
      this.#handleSend(now, message, link);
    }
  }

  /** ChannelData of a client. */
  handleChannelData(now: number, bytes: Uint8Array, link: ClientLink): void {
    const { allocation } = link;
    if (allocation === undefined || allocation === 'pending') return;
    allocation.handleChannelData(now, bytes);
  }

  #handleRequest(now: number, request: StunMessage, link: ClientLink): void {
    const { address } = link.remote;
    const hasNonce = this.#auth.hasNonce(now, request, address);
    const isProved = hasNonce || link.transport !== 'udp';
    if (!(isProved ? this.#proved : this.#unproved).take(now, address)) {
      this.statistics.limited += 1;
      return;
    }
    const { method } = request;
    if (method === STUN_METHOD.binding) {
      this.#bind(now, request, link, hasNonce);
      return;
    }
    const isKnown =
      method === STUN_METHOD.allocate ||
      method === STUN_METHOD.refresh ||
      method === STUN_METHOD.createPermission ||
      method === STUN_METHOD.channelBind;
    if (!isKnown) return;
    const sender = this.#auth.check(now, request, hasNonce);
    if (typeof sender === 'number') {
      this.#challenge(now, request, link, sender);
      return;
    }
    // RFC 8489 section 6.3: attributes are judged once the sender is known.
    const unknown = request.unknownAttributes(KNOWN);
    if (unknown.length > 0) this.#refuse(request, link, sender, 420, unknown);
    else this.#answer({ now, request, link, sender });
  }

  #answer(call: Call): void {
    const { method } = call.request;
    if (method === STUN_METHOD.allocate) this.#allocate(call);
    else if (method === STUN_METHOD.refresh) this.#reply(call, this.#refresh(call));
    else if (method === STUN_METHOD.channelBind) this.#reply(call, this.#channelBind(call));
    else this.#reply(call, this.#createPermission(call));
  }

  /** Binding needs no credentials. With a user name it is judged like the others: the server learns then where its user is. */
  #bind(now: number, request: StunMessage, link: ClientLink, hasNonce: boolean): void {
    let sender: Authenticated | undefined;
    if (
      request.has(STUN_ATTRIBUTE.username) ||
      request.has(STUN_ATTRIBUTE.messageIntegrity) ||
      request.has(STUN_ATTRIBUTE.messageIntegritySha256)
    ) {
      const result = this.#auth.check(now, request, hasNonce);
      if (typeof result === 'number') {
        this.#challenge(now, request, link, result);
        return;
      }
      sender = result;
    }
    const { change, unknown } = readBindingRequest(request, link);
    if (unknown.length > 0) {
      this.#refuse(request, link, sender, 420, unknown);
      return;
    }
    this.statistics.bindings += 1;
    link.send(finish(bindingAnswer(request, link, change), request, sender), change);
    if (sender !== undefined) this.#seen(sender, link);
  }

  /** RFC 8656 section 7.2. */
  #allocate(call: Call): void {
    const { now, request, link, sender } = call;
    const { allocation } = link;
    // The request has come again while its sockets are being opened.
    if (allocation === 'pending') return;
    if (allocation !== undefined) {
      // Or its answer was lost.
      const isSame = isEqual(request.transactionId, allocation.transactionId);
      this.#reply(call, isSame && allocation.belongsTo(sender) ? allocated(call, allocation) : 437);
      return;
    }
    const asked = readAllocateRequest(request);
    if (typeof asked === 'number') {
      this.#reply(call, asked);
      return;
    }
    if (asked.reservation !== undefined) {
      this.#reply(call, this.#takeReservation(call, asked, asked.reservation));
      return;
    }
    const { sockets } = this.#options;
    const count = asked.port === 'even-and-next' || asked.isDual ? 2 : 1;
    const fault = sockets.canRelay(asked.family, link.place.address)
      ? this.#shortage(sender.account, link, count)
      : 440;
    if (fault !== undefined) {
      this.#reply(call, fault);
      return;
    }
    const user = this.#table.enter(sender.username, sender.account, link.remote.address, count);
    link.allocation = 'pending';
    link.keep();
    this.#open(link, asked.family, asked.port, (opened) => {
      const [relay, next] = opened ?? [];
      const isGone = this.#isClosed || user.account.isEnded;
      if (link.allocation === 'pending' && relay !== undefined && !isGone) {
        const made = this.#make(call, asked, user, asked.family, relay);
        if (next !== undefined) {
          made.reservationToken = this.#options.randomBytes(8);
          const reservation = { socket: next, family: asked.family, user };
          this.#table.reserve(made.reservationToken, now, reservation);
        }
        if (asked.isDual) this.#addIpv6(call, made);
        else this.#reply(call, allocated(call, made));
        return;
      }
      for (const socket of opened ?? []) socket.close();
      this.#table.leave(user, count);
      // If it isn't pending any more the client has gone.
      if (link.allocation !== 'pending' || this.#isClosed) return;
      link.allocation = undefined;
      link.release();
      this.#reply(call, 508);
    });
  }

  /** RFC 8656 section 7.2: who asks for both families gets the IPv4 address even when there is none of IPv6. */
  #addIpv6(call: Call, allocation: TurnAllocation): void {
    const { link } = call;
    const done = (fault: 440 | 508, relay?: RelaySocket): void => {
      if (relay !== undefined && !allocation.isEnded) this.#table.addRelay(allocation, 6, relay);
      else {
        relay?.close();
        this.#table.leave(allocation.user, 1);
        allocation.ipv6Error = fault;
      }
      if (!allocation.isEnded) this.#reply(call, allocated(call, allocation));
    };
    if (!this.#options.sockets.canRelay(6, link.place.address)) done(440);
    else this.#open(link, 6, 'any', (opened) => done(508, opened?.[0]));
  }

  #open(
    link: ClientLink,
    family: AddressFamily,
    port: AllocateRequest['port'],
    done: (sockets: readonly RelaySocket[] | undefined) => void,
  ): void {
    this.#options.sockets.open({ family, local: link.place.address, port }, done);
  }

  #takeReservation(call: Call, asked: AllocateRequest, token: string): Outcome {
    const reservation = this.#table.takeReservation(token, call.sender.account);
    if (reservation === undefined) return 508;
    call.link.keep();
    const { user, family, socket } = reservation;
    return allocated(call, this.#make(call, asked, user, family, socket));
  }

  #make(
    { now, request, link }: Call,
    { lifetimeMs }: AllocateRequest,
    user: RelayUser,
    family: AddressFamily,
    relay: RelaySocket,
  ): TurnAllocation {
    const { transactionId } = request;
    const expiresAt = now + lifetimeMs;
    const made = new TurnAllocation({ link, user, transactionId, expiresAt, owner: this.#owner });
    this.#table.begin(now, made);
    this.#table.addRelay(made, family, relay);
    return made;
  }

  #shortage(account: string, { remote }: ClientLink, sockets: number): 486 | 508 | undefined {
    return this.#isDraining ? 508 : this.#table.shortage(account, remote.address, sockets);
  }

  /** RFC 8656 section 8.2. */
  #refresh(call: Call): Outcome {
    const { now, request } = call;
    const allocation = allocationOf(call);
    if (typeof allocation === 'number') return allocation;
    const isZero = request.uint32(STUN_ATTRIBUTE.lifetime) === 0;
    const hasFamily = request.has(STUN_ATTRIBUTE.requestedAddressFamily);
    const family = requestedFamily(request);
    if (hasFamily && (family === undefined || allocation.relay(family) === undefined)) return 443;
    const lifetime = isZero ? 0 : lifetimeMs(request);
    if (!isZero) allocation.expiresAt = now + lifetime;
    else if (hasFamily && family !== undefined && allocation.relayed.length > 1) {
      this.#table.removeRelay(allocation, family);
    } else this.#table.end(allocation);
    return (writer) => writer.uint32(STUN_ATTRIBUTE.lifetime, lifetime / 1000);
  }

  /** RFC 8656 section 10.2: all of its addresses get a permission, or none. */
  #createPermission(call: Call): Outcome {
    const allocation = allocationOf(call);
    if (typeof allocation === 'number') return allocation;
    const peers = call.request.xorAddresses(STUN_ATTRIBUTE.xorPeerAddress);
    if (peers === undefined || peers.length === 0) return 400;
    const reaches = new Map<string, Reach>();
    for (const peer of peers) {
      const reach = this.#reach(allocation, peer);
      if (typeof reach === 'number') return reach;
      const { address } = peer.endpoint;
      if (reaches.get(address) !== 'address') reaches.set(address, reach);
    }
    if (!allocation.hasRoomFor(call.now, [...reaches.keys()])) return 508;
    for (const [address, reach] of reaches) allocation.permit(call.now, address, reach);
    return SUCCESS;
  }

  /** RFC 8656 section 12.2. */
  #channelBind(call: Call): Outcome {
    const { now, request } = call;
    const allocation = allocationOf(call);
    if (typeof allocation === 'number') return allocation;
    const value = request.value(STUN_ATTRIBUTE.channelNumber);
    const peer = request.xorAddresses(STUN_ATTRIBUTE.xorPeerAddress)?.[0];
    if (value?.length !== 4 || peer === undefined || peer.endpoint.port === 0) return 400;
    const number = (value[0]! << 8) | value[1]!;
    if (number < MIN_CHANNEL || number > MAX_CHANNEL) return 400;
    const reach = this.#reach(allocation, peer);
    if (typeof reach === 'number') return reach;
    if (!allocation.hasRoomFor(now, [peer.endpoint.address])) return 508;
    return allocation.bindChannel(now, number, peer.endpoint, peer.family, reach) ?? SUCCESS;
  }

  /** A Send indication (RFC 8656 section 11.2): whatever is wrong with it, it is dropped. */
  #handleSend(now: number, message: StunMessage, link: ClientLink): void {
    const { allocation } = link;
    if (allocation === undefined || allocation === 'pending') return;
    const peer = message.xorAddresses(STUN_ATTRIBUTE.xorPeerAddress)?.[0];
    const data = message.value(STUN_ATTRIBUTE.data);
    const isUnderstood = message.unknownAttributes(KNOWN).length === 0;
    if (peer !== undefined && !isMapped(peer) && data !== undefined && isUnderstood) {
      allocation.sendTo(now, peer.endpoint, peer.family, data);
    } else this.statistics.droppedPackets += 1;
  }

  /** How far this allocation may reach that peer, or the number of the error if it may not. */
  #reach(allocation: TurnAllocation, peer: WirePeer): Reach | 403 | 443 {
    if (isMapped(peer)) return 403;
    if (allocation.relay(peer.family) === undefined) return 443;
    return this.#options.policy.reach(allocation.user.username, peer.endpoint) ?? 403;
  }

  #seen(sender: Authenticated, link: ClientLink): void {
    this.#options.events?.onSeen?.(sender.username, link.remote, link.transport);
  }

  #reply({ request, link, sender }: Call, outcome: Outcome): void {
    if (outcome === undefined) return;
    if (typeof outcome === 'number') {
      this.#refuse(request, link, sender, outcome);
      return;
    }
    const writer = new StunWriter('success', request.method, request.transactionId);
    outcome(writer);
    link.send(finish(writer, request, sender));
    this.#seen(sender, link);
  }

  #refuse(
    request: StunMessage,
    link: ClientLink,
    sender: Authenticated | undefined,
    code: Fault,
    unknown: readonly number[] = [],
  ): void {
    const writer = new StunWriter('error', request.method, request.transactionId);
    writer.errorCode(code, sender === undefined ? '' : REASONS[code]);
    if (unknown.length > 0) writer.unknownAttributes(unknown);
    link.send(finish(writer, request, sender));
  }

  /** RFC 8489 section 9.2.4: how to ask properly. Over UDP the address may be forged: the answer is short then, or there is none. */
  #challenge(now: number, request: StunMessage, link: ClientLink, code: Refusal): void {
    if (code === 400) {
      this.#refuse(request, link, undefined, code);
      return;
    }
    const isForgeable = link.transport === 'udp';
    const reason = code === 401 ? 'Unauthenticated' : 'Stale Nonce';
    const writer = new StunWriter('error', request.method, request.transactionId)
      .errorCode(code, isForgeable ? '' : reason)
      .text(STUN_ATTRIBUTE.realm, this.#auth.realm)
      .text(STUN_ATTRIBUTE.nonce, this.#auth.issueNonce(now, link.remote.address));
    const answer = finish(writer, request, undefined);
    if (isForgeable && answer.length > MAX_CHALLENGE_FACTOR * request.bytes.length) return;
    this.statistics.challenges += 1;
    link.send(answer);
  }
}

/** Whether it is an IPv4 address in an IPv6 one: a way around a filter (CVE-2026-27624), and of no use otherwise. */
function isMapped(peer: WirePeer): boolean {
  return peer.family === 6 && !peer.endpoint.address.includes(':');
}

/** The allocation of a request's 5-tuple, or the number of the error if there is none, or another user's. */
function allocationOf({ link, sender }: Call): TurnAllocation | 437 | 441 {
  const { allocation } = link;
  if (allocation === undefined || allocation === 'pending') return 437;
  return allocation.belongsTo(sender) ? allocation : 441;
}

/** The answer to an Allocate request. */
function allocated({ now, link }: Call, allocation: TurnAllocation): Outcome {
  return (writer) => {
    for (const relayed of allocation.relayed) {
      writer.xorAddress(STUN_ATTRIBUTE.xorRelayedAddress, relayed);
    }
    writer
      .uint32(STUN_ATTRIBUTE.lifetime, Math.round((allocation.expiresAt - now) / 1000))
      .xorAddress(STUN_ATTRIBUTE.xorMappedAddress, link.remote);
    const { reservationToken, ipv6Error } = allocation;
    if (reservationToken !== undefined) {
      writer.bytes(STUN_ATTRIBUTE.reservationToken, reservationToken);
    }
    if (ipv6Error !== undefined) {
      // RFC 8656 section 18.12.
      const value = Uint8Array.of(STUN_FAMILY[6], 0, Math.floor(ipv6Error / 100), ipv6Error % 100);
      writer.bytes(STUN_ATTRIBUTE.addressErrorCode, value);
    }
  };
}

/** Integrity as the request has it, and a fingerprint if it has one. */
function finish(
  writer: StunWriter,
  request: StunMessage,
  sender: Authenticated | undefined,
): Uint8Array {
  if (sender !== undefined) writer.integrity(sender.hash, sender.key);
  if (request.has(STUN_ATTRIBUTE.fingerprint)) writer.fingerprint();
  return writer.finish();
}
