// Gateways on loopback that map ports, as a test wants them: PCP and NAT-PMP on a UDP port, UPnP by SSDP and HTTP.

import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export const EXTERNAL = [203, 0, 113, 5];

export interface FakeGateway extends AsyncDisposable {
  readonly port: number;
  /** Mappings that stand: `tcp 6881 > 50000 for 3600`. */
  readonly mappings: Map<string, string>;
  /** Everything that was asked, in short. */
  readonly requests: string[];
}

type Answer = (bytes: Buffer, remote: RemoteInfo, socket: Socket) => Buffer | undefined;

async function listenUdp(host: string, answer: Answer): Promise<Socket> {
  const socket = createSocket('udp4');
  socket.on('message', (bytes, remote) => {
    const reply = answer(bytes, remote, socket);
    if (reply !== undefined) socket.send(reply, remote.port, remote.address);
  });
  socket.bind(0, host);
  await once(socket, 'listening');
  return socket;
}

export interface PortControlOptions {
  readonly speaks?: 'PCP' | 'NAT-PMP';
  /** Default: the port that is wished for. */
  readonly externalPort?: number;
  readonly lifetimeSeconds?: number;
  /** Refuses mappings. */
  readonly result?: number;
  /** Datagrams that are lost before one is heard. */
  readonly loses?: number;
  /** Sent instead of an answer to a mapping. */
  readonly rubbish?: Buffer;
}

/** PCP (RFC 6887) or NAT-PMP (RFC 6886) at 127.0.0.2. */
export async function listenPortControl(options: PortControlOptions = {}): Promise<FakeGateway> {
  const { speaks = 'PCP', result = 0 } = options;
  const mappings = new Map<string, string>();
  const requests: string[] = [];
  let lost = 0;
  const note = (protocol: string, port: number, external: number, lifetime: number) => {
    const key = `${protocol} ${port}`;
    requests.push(`${key} > ${external} for ${lifetime}`);
    if (lifetime === 0) mappings.delete(key);
    else if (result === 0) mappings.set(key, `${key} > ${external} for ${lifetime}`);
  };
  const socket = await listenUdp('127.0.0.2', (bytes) => {
    if (lost < (options.loses ?? 0)) {
      lost += 1;
      requests.push('lost');
      return undefined;
    }
    const version = speaks === 'PCP' ? 2 : 0;
    if (bytes[0] !== version) {
      requests.push(`version ${bytes[0]}`);
      return Buffer.from([version, bytes[1]! | 0x80, 0, 1, 0, 0, 0, 9]);
    }
    const opcode = bytes[1]!;
    if (speaks === 'NAT-PMP') {
      if (opcode === 0) return Buffer.from([0, 128, 0, 0, 0, 0, 0, 9, ...EXTERNAL]);
      const lifetime = bytes.readUInt32BE(8);
      const external = options.externalPort ?? bytes.readUInt16BE(6);
      const granted = lifetime === 0 ? 0 : (options.lifetimeSeconds ?? lifetime);
      note(opcode === 1 ? 'udp' : 'tcp', bytes.readUInt16BE(4), external, lifetime);
      if (options.rubbish !== undefined && lifetime > 0) return options.rubbish;
      const answer = Buffer.alloc(16);
      answer[1] = 128 + opcode;
      answer.writeUInt16BE(result, 2);
      bytes.copy(answer, 8, 4, 6);
      answer.writeUInt16BE(external, 10);
      answer.writeUInt32BE(granted, 12);
      return answer;
    }
    const answer = Buffer.alloc(opcode === 0 ? 24 : 60);
    bytes.copy(answer);
    answer[1] = opcode | 0x80;
    if (opcode === 0) return answer;
    const lifetime = bytes.readUInt32BE(4);
    const external = options.externalPort ?? bytes.readUInt16BE(42);
    note(bytes[36] === 6 ? 'tcp' : 'udp', bytes.readUInt16BE(40), external, lifetime);
    if (options.rubbish !== undefined && lifetime > 0) return options.rubbish;
    answer[3] = result;
    answer.writeUInt32BE(lifetime === 0 ? 0 : (options.lifetimeSeconds ?? lifetime), 4);
    answer.writeUInt16BE(external, 42);
    Buffer.from([...new Array(10).fill(0), 255, 255, ...EXTERNAL]).copy(answer, 44);
    return answer;
  });
  return {
    port: socket.address().port,
    mappings,
    requests,
    [Symbol.asyncDispose]: async () => {
      socket.close();
      await once(socket, 'close');
    },
  };
}

const TYPE = 'urn:schemas-upnp-org:service:WANIPConnection:1';

export interface UpnpOptions {
  /** Error codes of the first calls that add a mapping. */
  readonly errors?: readonly number[];
  /** Where the answer to a search leads instead. */
  readonly location?: (url: string) => string;
  /** The control URL of the description. */
  readonly controlUrl?: string;
  readonly externalAddress?: string;
  /** Answers an HTTP request in the place of the gateway; true when it has. */
  readonly misbehave?: (request: IncomingMessage, response: ServerResponse) => boolean;
}

/** UPnP at 127.0.0.1; `port` is that of its SSDP. */
export async function listenUpnp(options: UpnpOptions = {}): Promise<FakeGateway> {
  const mappings = new Map<string, string>();
  const requests: string[] = [];
  const errors = [...(options.errors ?? [])];
  const server = createServer(async (request, response) => {
    requests.push(`${request.method} ${request.url}`);
    if (options.misbehave?.(request, response) === true) return;
    if (request.method === 'GET') {
      response.end(
        `<?xml version="1.0"?><root><device><serviceList><service><serviceType>${TYPE}</serviceType>` +
          `<controlURL>${options.controlUrl ?? '/ctl'}</controlURL></service></serviceList></device></root>`,
      );
      return;
    }
    let body = '';
    for await (const chunk of request) body += chunk;
    const text = (name: string) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(body)?.[1] ?? '';
    const action = /#(\w+)"$/.exec(String(request.headers.soapaction))?.[1] ?? '';
    const key = `${text('NewProtocol').toLowerCase()} ${text('NewExternalPort')}`;
    if (action === 'AddPortMapping') {
      const line = `${key} > ${text('NewInternalClient')}:${text('NewInternalPort')} for ${text('NewLeaseDuration')}`;
      requests.push(line);
      const error = errors.shift();
      if (error !== undefined) {
        response.writeHead(500).end(`<UPnPError><errorCode>${error}</errorCode></UPnPError>`);
        return;
      }
      mappings.set(key, line);
    } else if (action === 'DeletePortMapping') {
      requests.push(`remove ${key}`);
      mappings.delete(key);
    }
    const address = options.externalAddress ?? EXTERNAL.join('.');
    response.end(`<r><NewExternalIPAddress>${address}</NewExternalIPAddress></r>`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/root.xml`;
  const socket = await listenUdp('127.0.0.1', (bytes) => {
    const target = /^ST: (.*)\r$/m.exec(bytes.toString())?.[1];
    if (target?.endsWith(':1') !== true) return undefined;
    requests.push('search');
    const location = options.location?.(url) ?? url;
    return Buffer.from(`HTTP/1.1 200 OK\r\nST: ${target}\r\nLOCATION: ${location}\r\n\r\n`);
  });
  return {
    port: socket.address().port,
    mappings,
    requests,
    [Symbol.asyncDispose]: async () => {
      socket.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A UDP port of loopback on which nothing answers. */
export async function silentPort(host: string): Promise<FakeGateway> {
  const requests: string[] = [];
  const socket = await listenUdp(host, () => {
    requests.push('heard');
    return undefined;
  });
  return {
    port: socket.address().port,
    mappings: new Map(),
    requests,
    [Symbol.asyncDispose]: async () => {
      socket.close();
      await once(socket, 'close');
    },
  };
}
