// An HTTP server of files with ranges: a web seed, honest or lying.
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { join, normalize } from 'node:path';
import { Transform } from 'node:stream';

export interface FileServerOptions {
  readonly address: string;
  readonly port: number;
  readonly folder: string;
  /** Every byte it sends is wrong. */
  readonly lies?: boolean;
}

export class FileServer {
  requests = 0;
  sentBytes = 0;
  readonly #options: FileServerOptions;
  readonly #server: Server;

  constructor(options: FileServerOptions) {
    this.#options = options;
    this.#server = createServer((request, response) => {
      void this.#serve(request, response).catch(() => response.destroy());
    });
  }

  get url(): string {
    return `http://${this.#options.address}:${this.#options.port}/`;
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#options.port, this.#options.address, resolve);
    });
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests += 1;
    const { pathname } = new URL(request.url ?? '/', this.url);
    const path = join(this.#options.folder, normalize(decodeURIComponent(pathname)));
    const size = await stat(path).then(
      (found) => (found.isFile() ? found.size : undefined),
      () => undefined,
    );
    if (size === undefined) {
      response.writeHead(404).end();
      return;
    }
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const start = Number(range?.[1] ?? 0);
    const end = range?.[2] ? Math.min(Number(range[2]), size - 1) : size - 1;
    response.writeHead(range === null ? 200 : 206, {
      'content-length': end - start + 1,
      ...(range === null ? {} : { 'content-range': `bytes ${start}-${end}/${size}` }),
    });
    const { lies } = this.#options;
    const count = (bytes: number) => {
      this.sentBytes += bytes;
    };
    const spoil = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        count(chunk.length);
        done(null, lies === true ? chunk.map((byte) => byte ^ 0xff) : chunk);
      },
    });
    createReadStream(path, { start, end }).pipe(spoil).pipe(response);
  }
}
