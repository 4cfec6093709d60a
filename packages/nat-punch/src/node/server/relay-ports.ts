// The sockets behind relayed transport addresses: a UDP socket for each, on a random port of the dynamic range (RFC 8656 section 7.2).
import { randomInt } from 'node:crypto';
import type { Socket } from 'node:dgram';
import { type AddressFamily, addressClass, type Endpoint, makeEndpoint } from '@bt/endpoint';
import type { RelaySocket, RelaySocketRequest, RelaySockets } from '../../turn/relay-socket.ts';
import type { FaultLog } from './fault-log.ts';
import { bindUdpSocket, createUdpSocket } from './udp-front.ts';

/** RFC 8656 section 7.2: the dynamic ports (RFC 6335). */
const DEFAULT_RANGE: PortRange = { min: 49_152, max: 65_535 };
/** Random ports that are tried before there is said to be none. */
const MAX_TRIES = 32;
/** What is held of datagrams that came while we were busy. */
const RECEIVE_BUFFER_BYTES = 1024 * 1024;
/** Datagrams that the system hasn't taken; what comes beyond is lost, as datagrams are. */
const MAX_QUEUED_DATAGRAMS = 64;

export interface PortRange {
  readonly min: number;
  readonly max: number;
}

export interface RelayPortsOptions {
  /** Addresses of this host that clients reach it by. */
  readonly addresses: readonly string[];
  /** The address that relays are told to be at, of its family. One that is none of this host's is bound where the client has come in. */
  readonly relayAddress?: string | undefined;
  readonly range?: PortRange | undefined;
  readonly faults: FaultLog;
}

export class RelayPorts implements RelaySockets {
  readonly #options: RelayPortsOptions;

  constructor(options: RelayPortsOptions) {
    this.#options = options;
  }

  canRelay(family: AddressFamily, local: string): boolean {
    return this.#bindAddress(family, local) !== undefined;
  }

  open(
    request: RelaySocketRequest,
    done: (sockets: readonly RelaySocket[] | undefined) => void,
  ): void {
    this.#open(request).then(done, () => done(undefined));
  }

  async #open({ family, local, port }: RelaySocketRequest): Promise<RelaySocket[] | undefined> {
    const address = this.#bindAddress(family, local);
    if (address === undefined) return undefined;
    const { min, max } = this.#options.range ?? DEFAULT_RANGE;
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const random = randomInt(min, max + 1);
      const first = port === 'any' ? random : random & ~1;
      if (first < min) continue;
      const count = port === 'even-and-next' ? 2 : 1;
      const sockets: UdpRelay[] = [];
      try {
        for (let i = 0; i < count; i++) sockets.push(await this.#bind(address, family, first + i));
        return sockets;
      } catch {
        for (const socket of sockets) socket.close();
      }
    }
    return undefined;
  }

  async #bind(address: string, family: AddressFamily, port: number): Promise<UdpRelay> {
    const socket = createUdpSocket(address, RECEIVE_BUFFER_BYTES);
    await bindUdpSocket(socket, address, port);
    const { relayAddress } = this.#options;
    const told =
      relayAddress !== undefined && familyOf(relayAddress) === family ? relayAddress : address;
    return new UdpRelay(socket, { address: told, port }, this.#options.faults);
  }

  /** The address of this host that a relay of that family is bound to. */
  #bindAddress(family: AddressFamily, local: string): string | undefined {
    const { addresses, relayAddress } = this.#options;
    const own = addresses.filter((address) => familyOf(address) === family);
    if (relayAddress !== undefined && own.includes(relayAddress)) return relayAddress;
    if (familyOf(local) === family) return local;
    // Of the other family: an address with as much reach as the one that the client knows.
    const kind = addressClass(local);
    return (
      own.find((address) => addressClass(address) === kind) ??
      own.find((address) => addressClass(address) !== 'loopback')
    );
  }
}

class UdpRelay implements RelaySocket {
  readonly relayed: Endpoint;
  onDatagram: RelaySocket['onDatagram'] = () => undefined;
  readonly #socket: Socket;
  #isClosed = false;

  constructor(socket: Socket, relayed: Endpoint, faults: FaultLog) {
    this.#socket = socket;
    this.relayed = relayed;
    const isIpv6 = relayed.address.includes(':');
    socket.on('message', (datagram, from) => {
      const address = isIpv6 ? makeEndpoint(from.address, from.port)?.address : from.address;
      if (address === undefined) return;
      const now = performance.now();
      try {
        this.onDatagram(now, datagram, address, from.port);
      } catch (error) {
        faults.report(now, error);
      }
    });
  }

  send(bytes: Uint8Array, offset: number, length: number, address: string, port: number): void {
    if (this.#isClosed || this.#socket.getSendQueueCount() > MAX_QUEUED_DATAGRAMS) return;
    // Without a callback an error of the system (no route, no buffer) is dropped, and nothing is allocated for it.
    this.#socket.send(bytes, offset, length, port, address);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#socket.close();
  }
}

function familyOf(address: string): AddressFamily {
  return address.includes(':') ? 6 : 4;
}
