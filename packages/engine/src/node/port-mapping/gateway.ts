// A gateway that maps ports, whichever protocol it speaks.

import type {
  GatewayProtocol,
  GrantedMapping,
  LocalPort,
  MappingRequest,
} from '../../port-mapping/mapping.ts';

export interface Gateway {
  readonly protocol: GatewayProtocol;
  readonly address: string;
  /** @throws GatewayRefusal, or whatever a socket or the signal gives */
  map(request: MappingRequest, signal: AbortSignal): Promise<GrantedMapping>;
  /** Removes a mapping that it has granted. */
  unmap(mapping: LocalPort & GrantedMapping, signal: AbortSignal): Promise<void>;
}

/** Where a gateway may be, and our address in its network. */
export interface GatewayPlace {
  readonly address: string;
  readonly port: number;
  readonly localAddress: string;
  /** A request is repeated after this long, then twice as long, and so on. */
  readonly repeatMs: number;
}
