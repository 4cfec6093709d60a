// The UDP sockets of a node: one for each family, on the same port where that can be had.
import { createSocket, type Socket } from 'node:dgram';
import { type AddressFamily, addressFamily, type Endpoint, makeEndpoint } from '@bt/endpoint';
import { MAX_PORT_TRIES } from '../constants.ts';
import { DhtError } from '../errors.ts';

export type DatagramHandler = (bytes: Uint8Array, from: Endpoint) => void;

export class Sockets {
  readonly #sockets: { readonly family: AddressFamily; readonly socket: Socket }[] = [];
  #port = 0;
  #isClosed = false;

  /**
   * Binds a socket to each address, one of each family, all to one port; with port 0 to one that is free in all of them. One of the
   * default addresses of a family that the host doesn't have is left out.
   *
   * @throws {DhtError} `socket`.
   */
  static async bind(
    addresses: readonly string[],
    port: number,
    areDefaults: boolean,
    onDatagram: DatagramHandler,
  ): Promise<Sockets> {
    for (let tries = 1; ; tries++) {
      const sockets = new Sockets();
      try {
        await sockets.#bindAll(addresses, port, areDefaults, onDatagram);
        return sockets;
      } catch (error) {
        const isTaken =
          port === 0 &&
          sockets.#sockets.length > 0 &&
          codeOf((error as DhtError).cause) === 'EADDRINUSE';
        await sockets.close();
        if (!isTaken || tries === MAX_PORT_TRIES) throw error;
      }
    }
  }

  get families(): AddressFamily[] {
    return this.#sockets.map(({ family }) => family);
  }

  /** The port of all sockets, also when they are closed. */
  get port(): number {
    return this.#port;
  }

  /** Sends a datagram. What doesn't go out is lost, as datagrams are. */
  send(bytes: Uint8Array, to: Endpoint): void {
    if (this.#isClosed) return;
    const family: AddressFamily = to.address.includes(':') ? 6 : 4;
    for (const own of this.#sockets) {
      if (own.family !== family) continue;
      try {
        // Without a callback an error of the system (no route, no buffer) is dropped, and nothing is allocated for it.
        own.socket.send(bytes, to.port, to.address);
      } catch {
        // So is one that Node throws.
      }
      return;
    }
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await Promise.all(
      this.#sockets.map(({ socket }) => new Promise<void>((resolve) => socket.close(resolve))),
    );
  }

  async #bindAll(
    addresses: readonly string[],
    port: number,
    areDefaults: boolean,
    onDatagram: DatagramHandler,
  ): Promise<void> {
    for (const address of addresses) {
      const wanted = this.#port === 0 ? port : this.#port;
      try {
        await this.#bind(address, wanted, onDatagram);
      } catch (cause) {
        const code = codeOf(cause);
        if (areDefaults && this.#sockets.length > 0 && IS_MISSING.has(code)) continue;
        const message = `can't bind UDP ${address} port ${wanted} (${code})`;
        throw new DhtError('socket', message, { cause });
      }
    }
  }

  #bind(address: string, port: number, onDatagram: DatagramHandler): Promise<void> {
    const family = addressFamily(address) ?? 4;
    const socket = createSocket({
      type: family === 4 ? 'udp4' : 'udp6',
      ipv6Only: family === 6,
      // All addresses are numbers: no resolver per datagram.
      lookup: (host, _options, callback) => callback(null, host, family),
    });
    return new Promise((resolve, reject) => {
      const onError = (error: Error) => {
        socket.close();
        reject(error);
      };
      socket.once('error', onError);
      socket.bind({ address, port, exclusive: true }, () => {
        socket.off('error', onError);
        // What a bound socket complains of (an ICMP message, say) is the network's affair.
        socket.on('error', () => undefined);
        socket.on('message', (datagram, from) => {
          const endpoint = endpointOf(from.address, from.port);
          if (endpoint === undefined) return;
          const { buffer, byteOffset, length } = datagram;
          onDatagram(new Uint8Array(buffer, byteOffset, length), endpoint);
        });
        this.#sockets.push({ family, socket });
        this.#port = socket.address().port;
        resolve();
      });
    });
  }
}

/** The host has no such family, or no address of it. */
const IS_MISSING = new Set<unknown>(['EAFNOSUPPORT', 'EADDRNOTAVAIL']);

/** What the system said. */
function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | undefined)?.code;
}

/** The system prints IPv4 addresses canonically; of IPv6 ones only the usual form is. */
function endpointOf(address: string, port: number): Endpoint | undefined {
  return address.includes(':') ? makeEndpoint(address, port) : { address, port };
}
