// The NAT kinds of the lab, in the terms of RFC 4787 sections 4 and 5.

/** Endpoint-independent, address-dependent, address-and-port-dependent. */
export type Dependence = 'endpoint' | 'address' | 'address-and-port';

export const NAT_KINDS = [
  'none',
  'full-cone',
  'address-restricted',
  'port-restricted',
  'symmetric',
  'symmetric-sequential',
  'udp-blocked',
] as const;

export type NatKind = (typeof NAT_KINDS)[number];

export interface NatBehaviour {
  readonly mapping: Dependence;
  readonly filtering: Dependence;
}

/** What each kind that passes UDP must show from outside. */
export const NAT_BEHAVIOUR: Readonly<
  Record<Exclude<NatKind, 'none' | 'udp-blocked'>, NatBehaviour>
> = {
  'full-cone': { mapping: 'endpoint', filtering: 'endpoint' },
  'address-restricted': { mapping: 'endpoint', filtering: 'address' },
  'port-restricted': { mapping: 'endpoint', filtering: 'address-and-port' },
  symmetric: { mapping: 'address-and-port', filtering: 'address-and-port' },
  'symmetric-sequential': { mapping: 'address-and-port', filtering: 'address-and-port' },
};

/** The TCP ports that a network without UDP lets through. */
export const OPEN_TCP_PORTS = [443, 3478] as const;
