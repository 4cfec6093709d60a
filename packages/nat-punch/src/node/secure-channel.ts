// The channel over a path of ours: node-datachannel talks to a forwarder on loopback, the forwarder to whatever path there is. So the channel
// outlives its path; and when it dies all the same, since no path came back in time, it is made anew over the next one.

import { LOOPBACK, PathForwarder } from './path-forwarder.ts';
import { type Lane, PeerChannel, type PeerChannelOptions } from './peer-channel.ts';

export interface SecureChannelOptions extends PeerChannelOptions {
  /** Over the path that there is now; dropped where there is none. */
  send(datagram: Uint8Array): void;
}

/** An ordered, reliable, end-to-end encrypted channel to one member, over a `PairTransport`. */
export class SecureChannel {
  readonly #channel: PeerChannel;

  constructor({ send, ...options }: SecureChannelOptions) {
    this.#channel = new PeerChannel(options, {
      isIceEndToEnd: false,
      open: async () => {
        const forwarder = await PathForwarder.open({ send });
        return {
          config: { bindAddress: LOOPBACK },
          remote: () => ({
            ice: forwarder.ice,
            isIceLite: true,
            candidates: [forwarder.candidate, 'end-of-candidates'],
          }),
          open: () => forwarder.open(),
          handleDatagram: (datagram) => forwarder.handleDatagram(datagram),
          handlePath: () => forwarder.handlePath(),
          close: () => forwarder.close(),
        };
      },
    });
  }

  get isOpen(): boolean {
    return this.#channel.isOpen;
  }

  get isAuthenticated(): boolean {
    return this.#channel.isAuthenticated;
  }

  get shortCode(): string | undefined {
    return this.#channel.shortCode;
  }

  /** A datagram of the other end came over the path. */
  handleDatagram(datagram: Uint8Array): void {
    this.#channel.route?.handleDatagram?.(datagram);
  }

  /** There is a path, or another one: what may have been lost goes again at once. */
  handlePath(): void {
    this.#channel.route?.handlePath?.();
  }

  handleSignal(data: unknown): void {
    this.#channel.handleSignal(data);
  }

  isWritable(lane: Lane): boolean {
    return this.#channel.isWritable(lane);
  }

  send(lane: Lane, message: Uint8Array): void {
    this.#channel.send(lane, message);
  }

  renew(): void {
    this.#channel.renew();
  }

  close(): void {
    this.#channel.close();
  }
}
