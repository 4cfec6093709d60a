// What port mapping is about, whichever protocol the gateway speaks.

export type MappedProtocol = 'tcp' | 'udp';

/** A port of ours that is to be reached from outside. */
export interface LocalPort {
  readonly protocol: MappedProtocol;
  readonly port: number;
}

export interface MappingRequest extends LocalPort {
  /** The external port that we would like: a mapping that is renewed keeps its own. */
  readonly externalPort: number;
  /** 0 removes the mapping. */
  readonly lifetimeSeconds: number;
}

/** What the gateway has granted. */
export interface GrantedMapping {
  readonly externalPort: number;
  /** The gateway's own, as it says: not judged. */
  readonly externalAddress: string | undefined;
  readonly lifetimeSeconds: number;
}

export type GatewayProtocol = 'PCP' | 'NAT-PMP' | 'UPnP';

/** A gateway refuses, or says something that makes no sense. */
export class GatewayRefusal extends Error {
  override readonly name = 'GatewayRefusal';
  /** The protocol's number of the refusal; undefined for an answer that makes no sense. */
  readonly resultCode: number | undefined;

  constructor(message: string, resultCode?: number) {
    super(message);
    this.resultCode = resultCode;
  }
}
