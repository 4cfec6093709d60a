// Local peer discovery on sockets (BEP 14): the machine of discovery/local-discovery.ts, one socket for each family that
// listens to the group, and one for each network that we are part of to send from. What fails here costs only itself: a
// network without multicast has no local discovery, and nobody is told.

import { createSocket, type Socket } from 'node:dgram';
import { networkInterfaces } from 'node:os';
import { addressClass, type Endpoint, makeEndpoint, parseAddress } from '@bt/endpoint';
import {
  encodeAnnouncement,
  type LocalAnnouncement,
  LocalDiscovery,
  LSD_GROUPS,
  LSD_PORT,
  type NetworkPrefix,
} from '../discovery/local-discovery.ts';
import { clockNow, Wakeup } from './timer.ts';

/** A network that we are part of. `address` is ours in it. */
export interface LocalNetwork extends NetworkPrefix {
  readonly family: 4 | 6;
  /** The interface as multicast calls want it: an address for IPv4, `::%` and the interface for IPv6. */
  readonly multicastInterface: string;
}

export interface LocalDiscoveryServiceOptions {
  /** Where we listen for peers. */
  readonly port: number;
  readonly random: () => number;
  /** Asked again for each announcement: networks come and go. */
  readonly networks: () => readonly LocalNetwork[];
  /** Somebody has a torrent of ours. */
  readonly found: (infoHash: string, endpoint: Endpoint) => void;
}

export class LocalDiscoveryService {
  readonly #options: LocalDiscoveryServiceOptions;
  readonly #machine: LocalDiscovery;
  readonly #wakeup: Wakeup;
  readonly #receivers = new Map<4 | 6, Socket>();
  /** By our address in the network. */
  readonly #senders = new Map<string, Socket>();
  #isClosed = false;

  constructor(options: LocalDiscoveryServiceOptions) {
    this.#options = options;
    this.#machine = new LocalDiscovery(options);
    this.#wakeup = new Wakeup(() => this.#act((now) => this.#machine.handleTimeout(now)));
  }

  /** A torrent of ours, by its info-hash in hexadecimal. */
  add(infoHash: string): void {
    if (this.#isClosed) return;
    this.#open();
    this.#act((now) => this.#machine.add(now, infoHash));
  }

  remove(infoHash: string): void {
    this.#act(() => this.#machine.remove(infoHash));
  }

  close(): void {
    this.#isClosed = true;
    this.#wakeup.clear();
    for (const socket of [...this.#receivers.values(), ...this.#senders.values()]) socket.close();
    this.#receivers.clear();
    this.#senders.clear();
  }

  #act(call: (now: number) => void): void {
    if (this.#isClosed) return;
    call(clockNow());
    for (;;) {
      const effect = this.#machine.poll();
      if (effect === undefined) break;
      if (effect.type === 'peer') this.#options.found(effect.infoHash, effect.endpoint);
      else this.#announce(effect.announcement);
    }
    this.#wakeup.set(this.#machine.deadline());
  }

  #announce(announcement: LocalAnnouncement): void {
    this.#open();
    for (const [address, socket] of this.#senders) {
      const { address: group, host } = LSD_GROUPS[familyOf(address)];
      attempt(() => socket.send(encodeAnnouncement(host, announcement), LSD_PORT, group, ignore));
    }
  }

  /** Listens and sends in every network that there is by now. */
  #open(): void {
    const networks = this.#options.networks();
    for (const family of [4, 6] as const) {
      const ofFamily = networks.filter((network) => network.family === family);
      if (ofFamily.length > 0) this.#listen(family, ofFamily);
    }
    for (const network of networks) {
      if (!this.#senders.has(network.address)) this.#openSender(network);
    }
    for (const [address, socket] of this.#senders) {
      if (networks.some((network) => network.address === address)) continue;
      this.#senders.delete(address);
      socket.close();
    }
  }

  #listen(family: 4 | 6, networks: readonly LocalNetwork[]): void {
    const known = this.#receivers.get(family);
    if (known !== undefined) {
      joinGroup(known, family, networks);
      return;
    }
    const socket = createSocket({
      type: family === 4 ? 'udp4' : 'udp6',
      reuseAddr: true,
      ipv6Only: family === 6,
    });
    this.#receivers.set(family, socket);
    socket.on('error', () => {
      this.#receivers.delete(family);
      attempt(() => socket.close());
    });
    socket.on('message', (bytes, { address, port }) => {
      // A link-local address means nothing without its interface, which an endpoint doesn't have.
      const from = makeEndpoint(address, port);
      if (from === undefined) return;
      this.#act((now) => this.#machine.handleDatagram(now, bytes, from));
    });
    // What is sent to our own addresses is no matter of the group; Windows can't bind to that.
    const group = process.platform === 'win32' ? {} : { address: LSD_GROUPS[family].address };
    socket.bind({ port: LSD_PORT, ...group, exclusive: true }, () =>
      joinGroup(socket, family, networks),
    );
  }

  #openSender({ family, address, multicastInterface }: LocalNetwork): void {
    const socket = createSocket({ type: family === 4 ? 'udp4' : 'udp6' });
    this.#senders.set(address, socket);
    socket.on('error', () => {
      if (this.#senders.get(address) === socket) this.#senders.delete(address);
      attempt(() => socket.close());
    });
    socket.bind({ port: 0, address, exclusive: true }, () =>
      attempt(() => socket.setMulticastInterface(multicastInterface)),
    );
  }
}

/**
 * The networks to speak to: all but loopback, or the one of the address that a session is bound to.
 *
 * @param interfaces as `networkInterfaces()` tells them
 */
export function localNetworks(
  bindAddress: string | undefined,
  interfaces = networkInterfaces(),
): LocalNetwork[] {
  const networks: LocalNetwork[] = [];
  const isAny = bindAddress === undefined || addressClass(bindAddress) === 'unspecified';
  for (const [name, addresses = []] of Object.entries(interfaces)) {
    const families = new Set<4 | 6>();
    for (const { address, family, internal, cidr, scopeid } of addresses) {
      const number = family === 'IPv6' ? 6 : 4;
      if (families.has(number) || parseAddress(address) === undefined) continue;
      const kind = addressClass(address);
      if (kind === 'loopback' || kind === 'link-local') continue;
      if (isAny ? internal : address !== bindAddress) continue;
      families.add(number);
      const zone = process.platform === 'win32' ? String(scopeid) : name;
      const multicastInterface = number === 4 ? address : `::%${zone}`;
      const prefixBits = Number(cidr?.split('/')[1] ?? (number === 4 ? 32 : 128));
      networks.push({ family: number, address, prefixBits, multicastInterface });
    }
  }
  return networks;
}

/** Does nothing on a socket that is not bound yet: it joins when it is. */
function joinGroup(socket: Socket, family: 4 | 6, networks: readonly LocalNetwork[]): void {
  for (const { multicastInterface } of networks) {
    attempt(() => {
      socket.address();
      // A second time is an error, and no harm.
      socket.addMembership(LSD_GROUPS[family].address, multicastInterface);
    });
  }
}

function familyOf(address: string): 4 | 6 {
  return address.includes(':') ? 6 : 4;
}

function ignore(): void {}

/** Sockets throw at once what others tell by an event. */
function attempt(action: () => void): void {
  try {
    action();
  } catch {
    // Without multicast in this network there is no local discovery in it.
  }
}
