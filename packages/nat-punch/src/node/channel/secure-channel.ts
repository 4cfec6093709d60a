// The channel over a path of ours: node-datachannel talks to a forwarder on loopback, the forwarder to whatever path there is. So the channel
// outlives its path; and when it dies all the same, since no path came back in time, it is made anew over the next one.

import { LOOPBACK, PathForwarder } from '../client/path-forwarder.ts';
import { PeerChannel, type PeerChannelOptions } from './peer-channel.ts';

export interface SecureChannelOptions extends PeerChannelOptions {
  /** Over the path that there is now; dropped where there is none. */
  send(datagram: Uint8Array): void;
}

/** Over a `PairTransport`. */
export class SecureChannel extends PeerChannel {
  constructor({ send, ...options }: SecureChannelOptions) {
    super(options, {
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

  /** A datagram of the other end came over the path. */
  handleDatagram(datagram: Uint8Array): void {
    this.route?.handleDatagram?.(datagram);
  }

  /** There is a path, or another one: what may have been lost goes again at once. */
  handlePath(): void {
    this.route?.handlePath?.();
  }
}
