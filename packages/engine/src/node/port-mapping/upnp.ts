// A gateway that speaks UPnP: found by multicast, and asked over HTTP. Anybody in the local network may answer a search, so
// an answer is followed to the host that sent it and nowhere else, and what comes from there is bounded in size and time.

import { createSocket } from 'node:dgram';
import { request as httpRequest } from 'node:http';
import { type Endpoint, isPublic, makeEndpoint } from '@bt/endpoint';
import {
  IGD_REQUEST_MS,
  MAX_EXTERNAL_PORTS,
  MAX_IGD_ANSWER_BYTES,
  MAX_IGD_DESCRIPTION_BYTES,
  MAX_SSDP_ANSWERS,
  MAX_WEB_HEADER_BYTES,
} from '../../limits.ts';
import {
  addMappingCall,
  CONFLICT,
  checkAnswer,
  deleteMappingCall,
  externalAddressCall,
  findService,
  type IgdService,
  ONLY_PERMANENT_LEASES,
  readExternalAddress,
  type SoapCall,
} from '../../port-mapping/igd.ts';
import {
  GatewayRefusal,
  type GrantedMapping,
  type LocalPort,
  type MappingRequest,
} from '../../port-mapping/mapping.ts';
import { decodeSearchAnswer, encodeSearches } from '../../port-mapping/ssdp.ts';
import type { Gateway } from './gateway.ts';

export interface UpnpSearch {
  readonly localAddress: string;
  /** Where to search: the multicast group. */
  readonly group: Endpoint;
  /** How long answers are waited for. */
  readonly waitMs: number;
  readonly random: () => number;
}

/** The first gateway that answers, and has a service that maps ports. */
export function findUpnp(search: UpnpSearch, signal: AbortSignal): Promise<Gateway> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    const socket = createSocket('udp4');
    const seen = new Set<string>();
    const opening: Promise<void>[] = [];
    let isOver = false;
    const end = (settle: () => void) => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      socket.close();
      settle();
    };
    const onAbort = () => end(() => reject(signal.reason));
    const timer = setTimeout(async () => {
      await Promise.all(opening);
      end(() => reject(new GatewayRefusal('no answer')));
    }, search.waitMs);
    signal.addEventListener('abort', onAbort, { once: true });
    socket.on('error', (error) => end(() => reject(error)));
    socket.on('message', (bytes, remote) => {
      const location = decodeSearchAnswer(bytes);
      // Gateways of ours are not out in the net.
      if (location === undefined || isPublic(remote.address)) return;
      const url = urlAt(location, undefined, remote.address);
      if (url === undefined || seen.has(url.href) || seen.size >= MAX_SSDP_ANSWERS) return;
      seen.add(url.href);
      // One that can't be opened is as if it hadn't answered.
      opening.push(
        openGateway(url, search, signal).then(
          (gateway) => end(() => resolve(gateway)),
          () => undefined,
        ),
      );
    });
    socket.bind({ address: search.localAddress, port: 0 }, () => {
      const { group, localAddress } = search;
      try {
        socket.setMulticastInterface(localAddress);
        for (const bytes of encodeSearches()) socket.send(bytes, group.port, group.address);
      } catch (error) {
        end(() => reject(error));
      }
    });
  });
}

async function openGateway(url: URL, search: UpnpSearch, signal: AbortSignal): Promise<Gateway> {
  const { localAddress } = search;
  const options = { url, localAddress, maxBytes: MAX_IGD_DESCRIPTION_BYTES, signal };
  const { status, body } = await ask(options);
  const service = status === 200 ? findService(body) : undefined;
  const control = service && urlAt(service.controlUrl, url, url.hostname);
  if (service === undefined || control === undefined) throw new GatewayRefusal('no service');
  return new UpnpGateway(control, service, search);
}

class UpnpGateway implements Gateway {
  readonly protocol = 'UPnP';
  readonly #url: URL;
  readonly #service: IgdService;
  readonly #search: UpnpSearch;
  /** It grants mappings without an end only. */
  #isPermanent = false;

  constructor(url: URL, service: IgdService, search: UpnpSearch) {
    this.#url = url;
    this.#service = service;
    this.#search = search;
  }

  get address(): string {
    return this.#url.hostname;
  }

  async map(request: MappingRequest, signal: AbortSignal): Promise<GrantedMapping> {
    const { lifetimeSeconds } = request;
    const externalPort = await this.#add(request, signal);
    return { externalPort, externalAddress: await this.#externalAddress(signal), lifetimeSeconds };
  }

  async unmap(mapping: LocalPort & GrantedMapping, signal: AbortSignal): Promise<void> {
    await this.#call(
      deleteMappingCall(this.#service, mapping.protocol, mapping.externalPort),
      signal,
    );
  }

  /** Returns the external port: another one where the wished one is taken. */
  async #add(request: MappingRequest, signal: AbortSignal): Promise<number> {
    let { externalPort } = request;
    for (let attempt = 1; ; attempt += 1) {
      try {
        const lifetimeSeconds = this.#isPermanent ? 0 : request.lifetimeSeconds;
        const wanted = { ...request, externalPort, lifetimeSeconds };
        const { localAddress } = this.#search;
        await this.#call(addMappingCall(this.#service, wanted, localAddress, NAME), signal);
        return externalPort;
      } catch (error) {
        if (!(error instanceof GatewayRefusal) || attempt > MAX_EXTERNAL_PORTS) throw error;
        if (error.resultCode === ONLY_PERMANENT_LEASES && !this.#isPermanent) {
          this.#isPermanent = true;
        } else if (error.resultCode === CONFLICT) {
          // Any of the dynamic ports (RFC 6335, section 6).
          externalPort = 49_152 + Math.floor(this.#search.random() * 16_384);
        } else {
          throw error;
        }
      }
    }
  }

  async #externalAddress(signal: AbortSignal): Promise<string | undefined> {
    try {
      return readExternalAddress(await this.#call(externalAddressCall(this.#service), signal));
    } catch {
      return undefined;
    }
  }

  async #call(call: SoapCall, signal: AbortSignal): Promise<string> {
    const { localAddress } = this.#search;
    const options = { url: this.#url, localAddress, maxBytes: MAX_IGD_ANSWER_BYTES, signal, call };
    const { status, body } = await ask(options);
    checkAnswer(status, body);
    return body;
  }
}

/** How the mapping is called in the gateway's list. */
const NAME = 'BitTorrent';

/** The URL if it is http and on this host; undefined for any other. */
function urlAt(text: string, base: URL | undefined, host: string): URL | undefined {
  let url: URL;
  try {
    url = new URL(text, base);
  } catch {
    return undefined;
  }
  const isThere = url.protocol === 'http:' && makeEndpoint(url.hostname, 0)?.address === host;
  return isThere && url.username === '' && url.password === '' ? url : undefined;
}

interface Asking {
  readonly url: URL;
  readonly localAddress: string;
  readonly maxBytes: number;
  readonly signal: AbortSignal;
  /** Absent: a GET. */
  readonly call?: SoapCall;
}

/** One HTTP request; redirects are not followed. */
function ask(asking: Asking): Promise<{ readonly status: number; readonly body: string }> {
  const { url, localAddress, maxBytes, call } = asking;
  const signal = AbortSignal.any([asking.signal, AbortSignal.timeout(IGD_REQUEST_MS)]);
  return new Promise((resolve, reject) => {
    const request = httpRequest({
      method: call === undefined ? 'GET' : 'POST',
      host: url.hostname,
      port: url.port || 80,
      path: url.pathname + url.search,
      headers:
        call === undefined
          ? {}
          : {
              'Content-Type': 'text/xml; charset="utf-8"',
              'Content-Length': Buffer.byteLength(call.body),
              SOAPAction: call.action,
            },
      agent: false,
      localAddress,
      maxHeaderSize: MAX_WEB_HEADER_BYTES,
      signal,
    });
    request.on('error', reject);
    request.on('upgrade', (_response, socket) => socket.destroy());
    request.on('close', () => reject(new GatewayRefusal('it hung up')));
    request.on('response', (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('error', reject);
      response.on('data', (text: string) => {
        body += text;
        if (body.length > maxBytes) request.destroy(new GatewayRefusal('its answer is too large'));
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
    request.end(call?.body);
  });
}
