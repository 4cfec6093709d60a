// One of the two DHTs that a node can take part in (BEP 32: "there are two distinct DHTs"): its id there, its table, and what
// the others say our address is. Each has an id of its own, since BEP 42 binds an id to one address.
import type { AddressFamily } from '@bt/endpoint';
import type { Sender } from './encode.ts';
import { ExternalAddress } from './external-address.ts';
import { idForAddress, isIdOfAddress } from './node-id.ts';
import { RoutingTable } from './routing-table.ts';

export interface OverlayOptions {
  readonly family: AddressFamily;
  /** 20 bytes. */
  readonly id: Uint8Array;
  readonly version?: Uint8Array | undefined;
  readonly readOnly: boolean;
}

export class Overlay {
  readonly family: AddressFamily;
  readonly table: RoutingTable;
  readonly externalAddress: ExternalAddress;
  #sender: Sender;

  constructor(options: OverlayOptions) {
    const { family, version, readOnly } = options;
    this.family = family;
    this.#sender = { id: options.id.slice(), version, readOnly };
    this.table = new RoutingTable({ family, ownId: options.id });
    this.externalAddress = new ExternalAddress(family);
  }

  /** What our messages here begin with. */
  get sender(): Sender {
    return this.#sender;
  }

  get id(): Uint8Array {
    return this.#sender.id;
  }

  /** Takes another id if ours does not fit our external address (BEP 42), and sorts the table around it. True when it did. */
  renewId(random: () => number): boolean {
    const address = this.externalAddress.address;
    if (address === undefined || isIdOfAddress(this.id, 0, address, 0, this.family)) return false;
    this.#sender = { ...this.#sender, id: idForAddress(address, random) };
    this.table.changeOwnId(this.id);
    return true;
  }
}

/** The overlays of a node: one, or both. */
export interface Overlays {
  readonly ipv4: Overlay | undefined;
  readonly ipv6: Overlay | undefined;
}

export function overlayOf(overlays: Overlays, family: AddressFamily): Overlay | undefined {
  return family === 4 ? overlays.ipv4 : overlays.ipv6;
}
