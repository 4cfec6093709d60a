// The sockets that relayed transport addresses stand for (RFC 8656 section 2.1), as the TURN machine asks for them.
import type { AddressFamily, Endpoint } from '@bt/endpoint';

export interface RelaySocket {
  /** The relayed transport address, as the client is told it. */
  readonly relayed: Endpoint;
  /** What peers send. `address` is canonical; `bytes` is good until the call returns. Set by the allocation. */
  onDatagram: (now: number, bytes: Uint8Array, address: string, port: number) => void;
  /** Sends `length` bytes of `bytes` from `offset`; they stay as they are until they have gone. */
  send(bytes: Uint8Array, offset: number, length: number, address: string, port: number): void;
  close(): void;
}

export interface RelaySocketRequest {
  readonly family: AddressFamily;
  /** The address at which the client has reached the server: where nothing else is said, relays are there. */
  readonly local: string;
  /** RFC 8656 section 18.6: an even port, or an even port and the next one as a second socket. */
  readonly port: 'any' | 'even' | 'even-and-next';
}

export interface RelaySockets {
  /** Whether the server has an address of that family to relay from. */
  canRelay(family: AddressFamily, local: string): boolean;
  /** Opens a socket, or two with `even-and-next`; undefined when there is no port or descriptor left. */
  open(
    request: RelaySocketRequest,
    done: (sockets: readonly RelaySocket[] | undefined) => void,
  ): void;
}
