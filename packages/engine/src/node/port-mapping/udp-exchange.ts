// One request and its answer over UDP, repeated while nothing comes (RFC 6886, section 3.1). The socket is connected, so
// that only datagrams of the very gateway arrive, and its refusal is heard.

import { createSocket } from 'node:dgram';
import { GATEWAY_ATTEMPTS } from '../../limits.ts';
import { GatewayRefusal } from '../../port-mapping/mapping.ts';
import type { GatewayPlace } from './gateway.ts';

/**
 * @param encode the request; it is told our address, as the gateway sees it
 * @param decode the answer; undefined for a datagram that is none, which is passed over. May throw a GatewayRefusal
 */
export function exchange<T>(
  place: GatewayPlace,
  encode: (clientAddress: string) => Uint8Array,
  decode: (bytes: Uint8Array) => T | undefined,
  signal: AbortSignal,
): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    const socket = createSocket('udp4');
    let timer: NodeJS.Timeout | undefined;
    const onAbort = () => end(() => reject(signal.reason));
    let isOver = false;
    const end = (settle: () => void) => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      socket.removeAllListeners('message');
      socket.close();
      settle();
    };
    signal.addEventListener('abort', onAbort, { once: true });
    socket.on('error', (error) => end(() => reject(error)));
    socket.on('message', (bytes) => {
      try {
        const answer = decode(bytes);
        if (answer !== undefined) end(() => resolve(answer));
      } catch (error) {
        end(() => reject(error));
      }
    });
    const send = (attempt: number) => {
      if (isOver) return;
      if (attempt === GATEWAY_ATTEMPTS) {
        end(() => reject(new GatewayRefusal('no answer')));
        return;
      }
      socket.send(encode(socket.address().address));
      timer = setTimeout(() => send(attempt + 1), place.repeatMs * 2 ** attempt);
    };
    socket.on('connect', () => send(0));
    socket.bind({ address: place.localAddress, port: 0 }, () => {
      if (!isOver) socket.connect(place.port, place.address);
    });
  });
}
