// One allocation (RFC 8656 section 3.2): its relay sockets, permissions (section 9) and channels (section 12), and the way of relayed datagrams
// through it. No object is made for a datagram on its way by a channel.
import type { AddressFamily, Endpoint } from '@bt/endpoint';
import type { ClientLink } from '../client-link.ts';
import {
  CHANNEL_DATA_HEADER_BYTES,
  channelDataLength,
  writeChannelDataHeader,
} from './channel-data.ts';
import { DATA_INDICATION_OVERHEAD_BYTES, writeDataIndication } from './data-indication.ts';
import type { Authenticated } from './long-term-auth.ts';
import {
  CHANNEL_LIFETIME_MS,
  MAX_CHANNELS,
  MAX_PERMISSIONS,
  PERMISSION_LIFETIME_MS,
} from './relay-limits.ts';
import type { Reach } from './relay-policy.ts';
import type { RelaySocket } from './relay-socket.ts';
import type { RelayUser } from './relay-user.ts';

/** What an allocation asks of its server. */
export interface AllocationOwner {
  readonly statistics: { relayedPackets: number; relayedBytes: number; droppedPackets: number };
  /** Whether this user may exchange datagrams with that very endpoint now. */
  allows(username: string, peer: Endpoint): boolean;
  /** The allocation that has this relayed transport address. */
  allocationAt(relayed: Endpoint): TurnAllocation | undefined;
}

export interface TurnAllocationOptions {
  readonly link: ClientLink;
  readonly user: RelayUser;
  /** Of the Allocate request; copied. */
  readonly transactionId: Uint8Array;
  readonly expiresAt: number;
  readonly owner: AllocationOwner;
}

interface Channel {
  readonly number: number;
  readonly peer: Endpoint;
  readonly permission: Permission;
  readonly relay: RelaySocket;
  /** The allocation of this server that the peer is: when it has ended, its port may be another user's. */
  readonly target: TurnAllocation | undefined;
  readonly expiresAt: number;
}

/** For an IP address. */
interface Permission {
  readonly address: string;
  /** Each datagram without a channel is judged by its port: that the last grant was for the one that it named. */
  isForPorts: boolean;
  expiresAt: number;
  /** Channels to this address, by port. */
  readonly channels: Map<number, Channel>;
}

export class TurnAllocation {
  readonly link: ClientLink;
  readonly user: RelayUser;
  /** Of the Allocate request, which may be repeated. */
  readonly transactionId: Uint8Array;
  expiresAt: number;
  /** What the answer to the Allocate request has besides: RFC 8656 sections 18.9 and 18.13. */
  reservationToken: Uint8Array | undefined;
  ipv6Error: 440 | 508 | undefined;
  readonly #owner: AllocationOwner;
  readonly #relays = new Map<AddressFamily, RelaySocket>();
  readonly #permissions = new Map<string, Permission>();
  readonly #channels = new Map<number, Channel>();
  #isEnded = false;
  #serial = 0;

  constructor({ link, user, transactionId, expiresAt, owner }: TurnAllocationOptions) {
    this.link = link;
    this.user = user;
    this.transactionId = Uint8Array.from(transactionId);
    this.expiresAt = expiresAt;
    this.#owner = owner;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** The relayed transport addresses, IPv4 first. */
  get relayed(): Endpoint[] {
    return [this.relay(4), this.relay(6)].flatMap((relay) =>
      relay === undefined ? [] : [relay.relayed],
    );
  }

  /** Whether this request comes from whoever has made the allocation; he may have other credentials by now. */
  belongsTo(sender: Authenticated): boolean {
    return sender.account === this.user.account.key;
  }

  relay(family: AddressFamily): RelaySocket | undefined {
    return this.#relays.get(family);
  }

  addRelay(family: AddressFamily, relay: RelaySocket): void {
    this.#relays.set(family, relay);
    relay.onDatagram = (now, bytes, address, port) => {
      this.#handlePeerDatagram(now, bytes, address, port);
    };
  }

  /** Closes the relay of one family. */
  removeRelay(family: AddressFamily): void {
    this.#relays.get(family)?.close();
    this.#relays.delete(family);
    for (const [address, permission] of this.#permissions) {
      if (address.includes(':') === (family === 6)) this.#removePermission(permission);
    }
  }

  end(): void {
    this.#isEnded = true;
    for (const relay of this.#relays.values()) relay.close();
    this.#relays.clear();
    this.#permissions.clear();
    this.#channels.clear();
  }

  /** Whether there is room for permissions for these addresses. */
  hasRoomFor(now: number, addresses: readonly string[]): boolean {
    const added = new Set(addresses.filter((address) => !this.#permissions.has(address))).size;
    if (this.#permissions.size + added > MAX_PERMISSIONS) this.#forgetExpired(now);
    return this.#permissions.size + added <= MAX_PERMISSIONS;
  }

  /** Creates a permission or makes it last anew, as far as it goes now. */
  permit(now: number, address: string, reach: Reach): void {
    this.#permit(now, address, reach);
  }

  /**
   * Binds a channel, or makes its binding and permission last anew (RFC 8656 section 12.2). The number of the error: 400 when the number or the
   * peer is bound otherwise, 508 when there is no more room.
   */
  bindChannel(
    now: number,
    number: number,
    peer: Endpoint,
    family: AddressFamily,
    reach: Reach,
  ): 400 | 508 | undefined {
    const relay = this.#relays.get(family);
    if (relay === undefined) return 400;
    const sameNumber = this.#channels.get(number);
    const samePeer = this.#permissions.get(peer.address)?.channels.get(peer.port);
    if (sameNumber !== samePeer) {
      if (sameNumber !== undefined && sameNumber.expiresAt > now) return 400;
      if (samePeer !== undefined && samePeer.expiresAt > now) return 400;
      if (sameNumber !== undefined) this.#removeChannel(sameNumber);
      if (samePeer !== undefined) this.#removeChannel(samePeer);
    }
    if (this.#channels.size >= MAX_CHANNELS && !this.#channels.has(number)) {
      this.#forgetExpired(now);
      if (this.#channels.size >= MAX_CHANNELS) return 508;
    }
    const permission = this.#permit(now, peer.address, reach);
    const target = permission.isForPorts ? this.#owner.allocationAt(peer) : undefined;
    const expiresAt = now + CHANNEL_LIFETIME_MS;
    const channel: Channel = { number, peer, permission, relay, target, expiresAt };
    this.#channels.set(number, channel);
    permission.channels.set(peer.port, channel);
    return undefined;
  }

  /** ChannelData of the client (RFC 8656 section 12.6). What has no channel, or lies about its length, is dropped. */
  handleChannelData(now: number, bytes: Uint8Array): void {
    if (bytes.length < CHANNEL_DATA_HEADER_BYTES) return;
    const channel = this.#channels.get((bytes[0]! << 8) | bytes[1]!);
    const length = channelDataLength(bytes);
    if (
      channel === undefined ||
      channel.expiresAt <= now ||
      channel.permission.expiresAt <= now ||
      length > bytes.length - CHANNEL_DATA_HEADER_BYTES ||
      channel.target?.isEnded === true ||
      !this.user.take(now, length)
    ) {
      this.#owner.statistics.droppedPackets += 1;
      return;
    }
    this.#count(length);
    const { relay, peer, target } = channel;
    if (target === undefined) {
      relay.send(bytes, CHANNEL_DATA_HEADER_BYTES, length, peer.address, peer.port);
    } else {
      const end = CHANNEL_DATA_HEADER_BYTES + length;
      this.#deliver(now, bytes.subarray(CHANNEL_DATA_HEADER_BYTES, end), relay, target);
    }
  }

  /** A Send indication of the client (RFC 8656 section 11.2). */
  sendTo(now: number, peer: Endpoint, family: AddressFamily, datagram: Uint8Array): void {
    const relay = this.#relays.get(family);
    const permission = this.#permissions.get(peer.address);
    if (
      relay === undefined ||
      permission === undefined ||
      permission.expiresAt <= now ||
      peer.port === 0 ||
      (permission.isForPorts && !this.#owner.allows(this.user.username, peer)) ||
      !this.user.take(now, datagram.length)
    ) {
      this.#owner.statistics.droppedPackets += 1;
      return;
    }
    this.#count(datagram.length);
    const target = permission.isForPorts ? this.#owner.allocationAt(peer) : undefined;
    if (target !== undefined) this.#deliver(now, datagram, relay, target);
    else relay.send(datagram, 0, datagram.length, peer.address, peer.port);
  }

  /**
   * Hands a datagram to another allocation of this server. The system isn't troubled with it, and where relays are told to be at the address of
   * a NAT in front of the server, it may not even know the way.
   */
  #deliver(now: number, datagram: Uint8Array, from: RelaySocket, to: TurnAllocation): void {
    const { address, port } = from.relayed;
    to.#handlePeerDatagram(now, datagram, address, port);
  }

  /** RFC 8656 sections 11.4 and 12.7. */
  #handlePeerDatagram(now: number, bytes: Uint8Array, address: string, port: number): void {
    const permission = this.#permissions.get(address);
    if (permission === undefined || permission.expiresAt <= now) {
      this.#owner.statistics.droppedPackets += 1;
      return;
    }
    const channel = permission.channels.get(port);
    if (channel === undefined || channel.expiresAt <= now) {
      this.#sendIndication(now, bytes, { address, port }, permission);
      return;
    }
    const { length } = bytes;
    const end = CHANNEL_DATA_HEADER_BYTES + length;
    // RFC 8656 section 12.5: padded over a stream.
    const whole = this.link.transport === 'udp' ? end : (end + 3) & ~3;
    const isAllowed = channel.target?.isEnded !== true && this.user.take(now, length);
    const target = isAllowed ? this.link.reserve(whole) : undefined;
    if (target === undefined) {
      this.#owner.statistics.droppedPackets += 1;
      return;
    }
    writeChannelDataHeader(target, 0, channel.number, length);
    target.set(bytes, CHANNEL_DATA_HEADER_BYTES);
    for (let at = end; at < whole; at++) target[at] = 0;
    this.#count(length);
    this.link.commit(whole);
  }

  #sendIndication(now: number, bytes: Uint8Array, peer: Endpoint, permission: Permission): void {
    const isAllowed =
      (!permission.isForPorts || this.#owner.allows(this.user.username, peer)) &&
      this.user.take(now, bytes.length);
    const target = isAllowed
      ? this.link.reserve(bytes.length + DATA_INDICATION_OVERHEAD_BYTES)
      : undefined;
    if (target === undefined) {
      this.#owner.statistics.droppedPackets += 1;
      return;
    }
    this.#serial = (this.#serial + 1) >>> 0;
    this.#count(bytes.length);
    this.link.commit(writeDataIndication(target, this.#serial, peer, bytes));
  }

  #permit(now: number, address: string, reach: Reach): Permission {
    let permission = this.#permissions.get(address);
    if (permission === undefined) {
      permission = { address, isForPorts: true, expiresAt: 0, channels: new Map() };
      this.#permissions.set(address, permission);
    }
    permission.isForPorts = reach === 'endpoint';
    permission.expiresAt = now + PERMISSION_LIFETIME_MS;
    return permission;
  }

  #forgetExpired(now: number): void {
    for (const channel of this.#channels.values()) {
      if (channel.expiresAt <= now) this.#removeChannel(channel);
    }
    for (const permission of this.#permissions.values()) {
      if (permission.expiresAt <= now) this.#removePermission(permission);
    }
  }

  #removeChannel(channel: Channel): void {
    this.#channels.delete(channel.number);
    channel.permission.channels.delete(channel.peer.port);
  }

  #removePermission(permission: Permission): void {
    for (const channel of permission.channels.values()) this.#channels.delete(channel.number);
    this.#permissions.delete(permission.address);
  }

  #count(bytes: number): void {
    const { statistics } = this.#owner;
    statistics.relayedPackets += 1;
    statistics.relayedBytes += bytes;
  }
}
