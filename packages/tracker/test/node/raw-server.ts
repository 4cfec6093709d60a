// A TCP server that says exactly what a test wants, for answers that no HTTP server would give.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Socket } from 'node:net';

export interface RawServer extends AsyncDisposable {
  readonly port: number;
  /** The heads of the requests so far, as they came. */
  readonly heads: string[];
  /** Connections that came, whether or not they asked. */
  readonly connections: () => number;
}

/** Calls `answer` with each request's head, once it is whole. */
export async function listenRaw(
  answer: (socket: Socket, head: string) => void,
  host = '127.0.0.1',
): Promise<RawServer> {
  const heads: string[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    let head = '';
    const onData = (chunk: Uint8Array) => {
      head += new TextDecoder('latin1').decode(chunk);
      if (!head.includes('\r\n\r\n')) return;
      socket.off('data', onData);
      socket.resume();
      heads.push(head);
      answer(socket, head);
    };
    socket.on('data', onData);
  });
  server.listen(0, host);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    heads,
    connections: () => connections,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Writes `chunk` again and again for as long as the other side takes it. */
export function writeForever(socket: Socket, chunk: string | Uint8Array): void {
  const go = () => {
    while (!socket.destroyed && socket.write(chunk)) {
      // As fast as it goes.
    }
  };
  socket.on('drain', go);
  go();
}

/** A whole HTTP answer. */
export function httpAnswer(
  body: string | Uint8Array,
  headers: Record<string, string> = {},
  status = '200 OK',
): Uint8Array {
  const bytes = typeof body === 'string' ? Buffer.from(body, 'latin1') : body;
  const fields = { 'Content-Length': `${bytes.length}`, ...headers };
  const head = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.concat([Buffer.from(`HTTP/1.1 ${status}\r\n${head.join('')}\r\n`), bytes]);
}
