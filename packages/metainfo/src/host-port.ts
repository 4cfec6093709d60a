// `host:port` as magnet links write it (BEP 9, `x.pe`): a name, an IPv4 address or an IPv6 address in brackets.
import type { HostPort } from './metainfo.ts';

const HOST_PORT = /^(?:([A-Za-z0-9._-]{1,253})|\[([0-9A-Fa-f:.]{2,45})\]):(\d{1,5})$/;

/** Undefined for anything that is not a host and a port from 1 to 65535. The address itself is not looked into. */
export function parseHostPort(text: string): HostPort | undefined {
  const match = HOST_PORT.exec(text);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined) return undefined;
  return makeHostPort(host, Number(match![3]));
}

/** Undefined unless the port is from 1 to 65535 and the host could be a name or an address. */
export function makeHostPort(host: string, port: number): HostPort | undefined {
  if (!Number.isInteger(port) || port < 1 || port > 65535) return undefined;
  return /^(?:[A-Za-z0-9._-]{1,253}|[0-9A-Fa-f:.]{2,45})$/.test(host) ? { host, port } : undefined;
}

export function formatHostPort({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
