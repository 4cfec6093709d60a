// A gateway that speaks PCP (RFC 6887) or its forerunner NAT-PMP (RFC 6886), both on one port.

import { randomBytes } from 'node:crypto';
import {
  GatewayRefusal,
  type GrantedMapping,
  type LocalPort,
  type MappingRequest,
} from '../../port-mapping/mapping.ts';
import {
  decodeAddressAnswer,
  decodeMappingAnswer,
  encodeAddressRequest,
  encodeMappingRequest,
} from '../../port-mapping/nat-pmp.ts';
import {
  decodeAnnounceAnswer,
  decodeMapAnswer,
  encodeAnnounceRequest,
  encodeMapRequest,
  NONCE_BYTES,
} from '../../port-mapping/pcp.ts';
import type { Gateway, GatewayPlace } from './gateway.ts';
import { exchange } from './udp-exchange.ts';

/** Of gateways, for both protocols (RFC 6886 section 1.1, RFC 6887 section 19.1). */
export const PORT_CONTROL_PORT = 5351;

/** The gateway at this place, if there is one that answers. */
export async function findPortControl(place: GatewayPlace, signal: AbortSignal): Promise<Gateway> {
  const spoken = await exchange(place, encodeAnnounceRequest, decodeAnnounceAnswer, signal);
  if (spoken === 'pcp') return new PcpGateway(place);
  // It answers to a request without consequences.
  await askAddress(place, signal);
  return new NatPmpGateway(place);
}

class PcpGateway implements Gateway {
  readonly protocol = 'PCP';
  readonly #place: GatewayPlace;
  /** By protocol and port: whoever doesn't know it can't change a mapping. */
  readonly #nonces = new Map<string, Uint8Array>();

  constructor(place: GatewayPlace) {
    this.#place = place;
  }

  get address(): string {
    return this.#place.address;
  }

  async map(request: MappingRequest, signal: AbortSignal): Promise<GrantedMapping> {
    const nonce = this.#nonceOf(request);
    const answer = await exchange(
      this.#place,
      (clientAddress) => encodeMapRequest(request, clientAddress, nonce),
      (bytes) => decodeMapAnswer(bytes, request, nonce),
      signal,
    );
    if (answer !== 'other-version') return answer;
    throw new GatewayRefusal('unsupported version');
  }

  async unmap(mapping: LocalPort & GrantedMapping, signal: AbortSignal): Promise<void> {
    await this.map({ ...mapping, lifetimeSeconds: 0 }, signal);
  }

  #nonceOf({ protocol, port }: LocalPort): Uint8Array {
    const key = `${protocol} ${port}`;
    const nonce = this.#nonces.get(key) ?? randomBytes(NONCE_BYTES);
    this.#nonces.set(key, nonce);
    return nonce;
  }
}

class NatPmpGateway implements Gateway {
  readonly protocol = 'NAT-PMP';
  readonly #place: GatewayPlace;

  constructor(place: GatewayPlace) {
    this.#place = place;
  }

  get address(): string {
    return this.#place.address;
  }

  async map(request: MappingRequest, signal: AbortSignal): Promise<GrantedMapping> {
    const mapping = await this.#ask(request, signal);
    return { ...mapping, externalAddress: await askAddress(this.#place, signal) };
  }

  async unmap(mapping: LocalPort & GrantedMapping, signal: AbortSignal): Promise<void> {
    await this.#ask({ ...mapping, lifetimeSeconds: 0 }, signal);
  }

  #ask(request: MappingRequest, signal: AbortSignal) {
    return exchange(
      this.#place,
      () => encodeMappingRequest(request),
      (bytes) => decodeMappingAnswer(bytes, request.protocol, request.port),
      signal,
    );
  }
}

function askAddress(place: GatewayPlace, signal: AbortSignal): Promise<string> {
  return exchange(place, encodeAddressRequest, decodeAddressAnswer, signal);
}
