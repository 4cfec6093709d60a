// Finding internet gateways by UPnP's discovery (UPnP Device Architecture 1.1, section 1.3): a search, and its answers, which
// are heads of HTTP answers in datagrams.

import { MAX_SSDP_BYTES } from '../limits.ts';

export const SSDP_ADDRESS = '239.255.255.250';
export const SSDP_PORT = 1900;
/** Seconds within which devices may answer. */
const MAX_WAIT_SECONDS = 1;
const DEVICES = [
  'urn:schemas-upnp-org:device:InternetGatewayDevice:1',
  'urn:schemas-upnp-org:device:InternetGatewayDevice:2',
];

/** The searches to send, each in a datagram. */
export function encodeSearches(): Uint8Array[] {
  return DEVICES.map((device) =>
    new TextEncoder().encode(
      [
        'M-SEARCH * HTTP/1.1',
        `HOST: ${SSDP_ADDRESS}:${SSDP_PORT}`,
        'MAN: "ssdp:discover"',
        `MX: ${MAX_WAIT_SECONDS}`,
        `ST: ${device}`,
        '',
        '',
      ].join('\r\n'),
    ),
  );
}

/** A gateway's description: the URL of an answer; undefined for a datagram that is no gateway's. */
export function decodeSearchAnswer(bytes: Uint8Array): string | undefined {
  if (bytes.length > MAX_SSDP_BYTES) return undefined;
  const [status, ...lines] = new TextDecoder().decode(bytes).split('\r\n');
  if (status === undefined || !/^HTTP\/1\.[01] 200( |$)/.test(status)) return undefined;
  const fields = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon > 0)
      fields.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }
  if (!DEVICES.includes(fields.get('st') ?? '')) return undefined;
  return fields.get('location');
}
