// Performs a UDP exchange (BEP 15) on a socket of its own: a fresh port, connected, so that the kernel drops whatever does
// not come from the address and port asked.
import { randomInt } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { TrackerError } from '../errors.ts';
import { UdpExchange, type UdpExchangeOptions } from '../udp-exchange.ts';
import type { HostAddress } from './resolve.ts';

export interface UdpTarget extends HostAddress {
  readonly port: number;
}

/** @throws {TrackerError}; on an abort of the signal its reason. */
export function performUdpExchange<T>(
  target: UdpTarget,
  request: Omit<UdpExchangeOptions<T>, 'randomUint32'>,
  options: { readonly signal: AbortSignal; readonly localAddress: string | undefined },
): Promise<T> {
  const { signal } = options;
  return new Promise<T>((resolve, reject) => {
    signal.throwIfAborted();
    const socket = createSocket({
      type: target.family === 4 ? 'udp4' : 'udp6',
      // An address needs no resolver.
      lookup: (host, _options, callback) => callback(null, host, target.family),
    });
    let timer: NodeJS.Timeout | undefined;
    let exchange: UdpExchange<T> | undefined;

    const end = (settle: () => void) => {
      signal.removeEventListener('abort', onAbort);
      clearTimeout(timer);
      closeQuietly(socket);
      settle();
    };
    const fail = (cause: unknown) => {
      const code = (cause as { code?: unknown }).code;
      const reason = typeof code === 'string' ? ` (${code})` : '';
      const error = new TrackerError('connection', `the tracker can't be reached${reason}`, {
        cause,
      });
      end(() => reject(error));
    };
    const onAbort = () => end(() => reject(signal.reason));
    const drain = () => {
      if (exchange === undefined) return;
      const { outcome } = exchange;
      if (outcome !== undefined) {
        end(() => (outcome.type === 'answer' ? resolve(outcome.answer) : reject(outcome.error)));
        return;
      }
      for (let datagram = exchange.poll(); datagram !== undefined; datagram = exchange.poll()) {
        socket.send(datagram, (error) => {
          if (error !== null) fail(error);
        });
      }
      clearTimeout(timer);
      timer = setTimeout(
        () => {
          exchange?.handleTimeout(performance.now());
          drain();
        },
        Math.max(0, exchange.deadline() - performance.now()),
      );
    };

    signal.addEventListener('abort', onAbort, { once: true });
    socket.on('error', fail);
    socket.on('message', (datagram) => {
      exchange?.handleDatagram(performance.now(), datagram);
      drain();
    });
    socket.on('connect', () => {
      exchange = new UdpExchange(performance.now(), {
        ...request,
        randomUint32: () => randomInt(2 ** 32),
      });
      drain();
    });
    socket.bind({ address: options.localAddress, port: 0, exclusive: true }, () => {
      socket.connect(target.port, target.address);
    });
  });
}

/** What a socket still has to say interests nobody, but Node wants somebody to listen to its errors. */
function closeQuietly(socket: Socket): void {
  socket.removeAllListeners();
  socket.on('error', () => undefined);
  try {
    socket.close();
  } catch {
    // Closed already.
  }
}
