// The UDP sockets of a node: one for each family, on the same port where that can be had.
import { createSocket, type Socket } from 'node:dgram';
import { type AddressFamily, addressFamily, type Endpoint, makeEndpoint } from '@bt/endpoint';
import { DhtError } from '../errors.ts';

export type DatagramHandler = (bytes: Uint8Array, from: Endpoint) => void;

export class Sockets {
  readonly #sockets: { readonly family: AddressFamily; readonly socket: Socket }[] = [];
  #isClosed = false;

  /**
   * Binds a socket to each address, one of each family. Those after the first take its port; one of the default addresses of a family that the
   * host doesn't have is left out.
   *
   * @throws {DhtError} `socket`.
   */
  static async bind(
    addresses: readonly string[],
    port: number,
    areDefaults: boolean,
    onDatagram: DatagramHandler,
  ): Promise<Sockets> {
    const sockets = new Sockets();
    let taken = port;
    for (const address of addresses) {
      try {
        await sockets.#bind(address, taken, onDatagram);
      } catch (cause) {
        if (areDefaults && sockets.#sockets.length > 0) continue;
        await sockets.close();
        const reason = (cause as { code?: unknown }).code;
        const message = `can't bind UDP ${address} port ${taken} (${reason})`;
        throw new DhtError('socket', message, { cause });
      }
      taken = sockets.port;
    }
    return sockets;
  }

  get families(): AddressFamily[] {
    return this.#sockets.map(({ family }) => family);
  }

  /** The port of the first socket. */
  get port(): number {
    return this.#sockets[0]!.socket.address().port;
  }

  /** Sends a datagram. What doesn't go out is lost, as datagrams are. */
  send(bytes: Uint8Array, to: Endpoint): void {
    if (this.#isClosed) return;
    const family: AddressFamily = to.address.includes(':') ? 6 : 4;
    for (const own of this.#sockets) {
      if (own.family !== family) continue;
      // Without a callback an error of the system (no route, no buffer) is dropped, and nothing is allocated for it.
      own.socket.send(bytes, to.port, to.address);
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

  #bind(address: string, port: number, onDatagram: DatagramHandler): Promise<void> {
    const family = addressFamily(address) ?? 4;
    const socket = createSocket({
      type: family === 4 ? 'udp4' : 'udp6',
      ipv6Only: family === 6,
      // All addresses are numbers: no resolver per datagram.
      lookup: (host, _options, callback) => callback(null, host, family),
    });
    return new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.bind({ address, port, exclusive: true }, () => {
        socket.off('error', reject);
        // What a bound socket complains of (an ICMP message, say) is the network's affair.
        socket.on('error', () => undefined);
        socket.on('message', (datagram, from) => {
          const endpoint = endpointOf(from.address, from.port);
          if (endpoint === undefined) return;
          const { buffer, byteOffset, length } = datagram;
          onDatagram(new Uint8Array(buffer, byteOffset, length), endpoint);
        });
        this.#sockets.push({ family, socket });
        resolve();
      });
    });
  }
}

/** The system prints IPv4 addresses canonically; of IPv6 ones only the usual form is. */
function endpointOf(address: string, port: number): Endpoint | undefined {
  return address.includes(':') ? makeEndpoint(address, port) : { address, port };
}
