// Where a datagram came from, as text for the answer's `to` and as bytes for everything else.
import {
  type AddressFamily,
  addressClassAt,
  type Endpoint,
  isPort,
  parseAddressInto,
} from '@bt/endpoint';

/** The sender of the datagram at hand. One object serves for all of them. */
export class Source {
  endpoint: Endpoint = { address: '0.0.0.0', port: 0 };
  family: AddressFamily = 4;
  /** Its compact endpoint: the first 6 or 18 bytes count. */
  readonly bytes = new Uint8Array(18);
  isPublic = false;
  isLoopback = false;

  /** Takes in an endpoint; false when it is none that can be answered. */
  read(endpoint: Endpoint): boolean {
    const { bytes } = this;
    const length = parseAddressInto(endpoint.address, bytes, 0);
    if (length === 0 || !isPort(endpoint.port) || endpoint.port === 0) return false;
    this.endpoint = endpoint;
    this.family = length === 4 ? 4 : 6;
    bytes[length] = endpoint.port >>> 8;
    bytes[length + 1] = endpoint.port & 0xff;
    const kind = addressClassAt(bytes, 0, this.family);
    this.isPublic = kind === 'public';
    this.isLoopback = kind === 'loopback';
    return kind !== 'unspecified' && kind !== 'multicast' && kind !== 'reserved';
  }

  get addressLength(): 4 | 16 {
    return this.family === 4 ? 4 : 16;
  }

  /**
   * How many of the first bytes tell senders apart for rate limits: a public address is one sender, and so is an IPv6 /64; elsewhere
   * many nodes may share an address, and each endpoint is one.
   */
  get senderLength(): number {
    if (this.isPublic) return this.family === 4 ? 4 : 8;
    return this.family === 4 ? 6 : 18;
  }

  /** The address in BEP 42's `ip`: 6 or 18 bytes, a view. */
  get compact(): Uint8Array {
    return this.family === 4 ? this.#compact4 : this.bytes;
  }

  readonly #compact4 = this.bytes.subarray(0, 6);
}
