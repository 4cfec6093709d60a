// What the server counts, as Prometheus reads it (text format 0.0.4), at an address of its own: it is nobody's affair on the public port.
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Endpoint, makeEndpoint } from '@bt/endpoint';
import { NatPunchError } from '../../errors.ts';

export interface Metric {
  /** Without the prefix. */
  readonly name: string;
  readonly help: string;
  readonly type: 'gauge' | 'counter';
  readonly value: number;
}

const PREFIX = 'nat_punch_';

export function prometheusText(metrics: readonly Metric[]): string {
  return metrics
    .map(({ name, help, type, value }) => {
      const full = `${PREFIX}${name}`;
      return `# HELP ${full} ${help}\n# TYPE ${full} ${type}\n${full} ${value}\n`;
    })
    .join('');
}

export class MetricsServer {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** @throws {NatPunchError} `socket` when the address or port is not to be had. */
  static async start(at: Endpoint, read: () => readonly Metric[]): Promise<MetricsServer> {
    const server = createServer((request, response) => {
      response.setHeader('Connection', 'close');
      if (request.method !== 'GET' || request.url !== '/metrics') {
        response.writeHead(404).end();
        return;
      }
      response.writeHead(200, { 'Content-Type': 'text/plain; version=0.0.4' });
      response.end(prometheusText(read()));
    });
    server.maxConnections = 100;
    server.listen({ host: at.address, port: at.port });
    try {
      await once(server, 'listening');
    } catch (cause) {
      const where = `${at.address} port ${at.port}`;
      throw new NatPunchError('socket', `the metrics can't be served at ${where}`, { cause });
    }
    // A connection that can't be accepted (no descriptor) is nobody else's affair.
    server.on('error', () => undefined);
    server.unref();
    return new MetricsServer(server);
  }

  get endpoint(): Endpoint {
    const { address, port } = this.#server.address() as AddressInfo;
    return makeEndpoint(address, port)!;
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}
