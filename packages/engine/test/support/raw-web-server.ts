// A TCP server that answers HTTP requests with exactly the bytes a test wants, on loopback.

import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';

export interface RawWebServer extends AsyncDisposable {
  readonly port: number;
  /** The heads of the requests so far. */
  readonly heads: string[];
  readonly connections: () => number;
}

/** Calls `answer` with each request's head, on kept connections too. */
export async function listenRaw(
  answer: (socket: Socket, head: string, number: number) => void,
  host = '127.0.0.1',
): Promise<RawWebServer> {
  const heads: string[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
        const head = text.slice(0, end);
        text = text.slice(end + 4);
        heads.push(head);
        answer(socket, head, heads.length);
      }
    });
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

/** The head of an answer. */
export function headOf(status: string, fields: Record<string, string | number> = {}): string {
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status}\r\n${lines.join('')}\r\n`;
}

/** What a request asks for; undefined: the whole file. */
export function rangeOf(
  head: string,
): { readonly start: number; readonly end: number } | undefined {
  const match = /\r\nRange: bytes=(\d+)-(\d+)(\r\n|$)/i.exec(head);
  return match === null ? undefined : { start: Number(match[1]), end: Number(match[2]) + 1 };
}

/** As an honest server does. */
export function serve(socket: Socket, head: string, file: Uint8Array): void {
  const range = rangeOf(head);
  const { start, end } = range ?? { start: 0, end: file.length };
  const status = range === undefined ? '200 OK' : '206 Partial Content';
  socket.write(
    headOf(status, {
      'Content-Length': end - start,
      ...(range === undefined
        ? {}
        : { 'Content-Range': `bytes ${start}-${end - 1}/${file.length}` }),
    }),
  );
  socket.write(file.subarray(start, end));
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
