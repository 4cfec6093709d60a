// Keeps ports of ours open in the gateway: finds it (PCP or NAT-PMP if it speaks them, else UPnP), asks, renews, and removes
// what was granted in the end. What goes wrong is told, tried again much later, and costs nothing else.

import { type Endpoint, isLoopback, isPort } from '@bt/endpoint';
import {
  GATEWAY_REPEAT_MS,
  MAPPING_TIMEOUT_MS,
  SSDP_SEARCH_MS,
  STOP_MAPPING_MS,
} from '../../limits.ts';
import {
  type GatewayProtocol,
  GatewayRefusal,
  type GrantedMapping,
  type LocalPort,
  type MappingRequest,
} from '../../port-mapping/mapping.ts';
import { MappingSchedule } from '../../port-mapping/mapping-schedule.ts';
import { SSDP_ADDRESS, SSDP_PORT } from '../../port-mapping/ssdp.ts';
import { clockNow, Wakeup } from '../timer.ts';
import type { Gateway } from './gateway.ts';
import { type GatedNetwork, gatedNetworks } from './networks.ts';
import { findPortControl, PORT_CONTROL_PORT } from './port-control.ts';
import { findUpnp } from './upnp.ts';

/** A port that the gateway passes on to us. */
export interface PortMapping extends LocalPort {
  readonly externalPort: number;
  /** The gateway's other address, as it says; it may be a private one. */
  readonly externalAddress: string | undefined;
  readonly gateway: string;
  readonly gatewayProtocol: GatewayProtocol;
}

export interface PortMapperOptions {
  readonly bindAddress: string | undefined;
  readonly random: () => number;
  /** Also when a mapping is renewed. */
  readonly mapped: (mapping: PortMapping) => void;
  readonly failed: (port: LocalPort, message: string) => void;
  /** For tests: the networks, the ports and group of gateways, and how long they are waited for. */
  readonly networks?: (() => Promise<readonly GatedNetwork[]>) | undefined;
  readonly portControlPort?: number | undefined;
  readonly ssdpGroup?: Endpoint | undefined;
  readonly repeatMs?: number | undefined;
  readonly searchMs?: number | undefined;
}

const SSDP_GROUP: Endpoint = { address: SSDP_ADDRESS, port: SSDP_PORT };

export class PortMapper {
  readonly #options: PortMapperOptions;
  readonly #schedule: MappingSchedule;
  readonly #wakeup = new Wakeup(() => this.#run());
  readonly #searching = new AbortController();
  readonly #pending = new Set<Promise<void>>();
  /** What has been granted, by protocol and port: to be removed in the end. */
  readonly #granted = new Map<string, { gateway: Gateway; mapping: LocalPort & GrantedMapping }>();
  #gateway: Promise<Gateway> | undefined;
  #isClosed = false;

  constructor(options: PortMapperOptions) {
    this.#options = options;
    this.#schedule = new MappingSchedule(options.random);
  }

  /** The port is to be reached from outside. */
  add(port: LocalPort): void {
    if (this.#isClosed) return;
    this.#schedule.add(clockNow(), port);
    this.#run();
  }

  /** Removes what was granted: two seconds at most, then it is left to expire. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#wakeup.clear();
    const signal = AbortSignal.timeout(STOP_MAPPING_MS);
    const isOver = new Promise<void>((resolve) =>
      signal.addEventListener('abort', () => resolve()),
    );
    this.#searching.abort(new GatewayRefusal('closed'));
    // What is just being granted is waited for, to be removed as well.
    await Promise.race([Promise.all(this.#pending), isOver]);
    await Promise.allSettled(
      Array.from(this.#granted.values(), ({ gateway, mapping }) => gateway.unmap(mapping, signal)),
    );
  }

  #run(): void {
    if (this.#isClosed) return;
    for (;;) {
      const request = this.#schedule.poll(clockNow());
      if (request === undefined) break;
      const pending = this.#map(request).finally(() => {
        this.#pending.delete(pending);
        if (!this.#isClosed) this.#wakeup.set(this.#schedule.deadline());
      });
      this.#pending.add(pending);
    }
    this.#wakeup.set(this.#schedule.deadline());
  }

  async #map(request: MappingRequest): Promise<void> {
    const { protocol, port } = request;
    const signal = AbortSignal.timeout(MAPPING_TIMEOUT_MS);
    try {
      this.#gateway ??= this.#find(AbortSignal.any([signal, this.#searching.signal]));
      const gateway = await this.#gateway;
      const granted = await gateway.map(request, signal);
      checkGranted(granted);
      this.#schedule.granted(clockNow(), request, granted);
      const mapping = { protocol, port, ...granted };
      this.#granted.set(`${protocol} ${port}`, { gateway, mapping });
      const { externalPort, externalAddress } = granted;
      const { address, protocol: gatewayProtocol } = gateway;
      if (this.#isClosed) return;
      this.#options.mapped({
        ...{ protocol, port, externalPort, externalAddress },
        ...{ gateway: address, gatewayProtocol },
      });
    } catch (error) {
      // The next attempt looks for a gateway anew: the network may be another one by then.
      this.#gateway = undefined;
      this.#schedule.failed(clockNow(), request);
      if (!this.#isClosed) this.#options.failed({ protocol, port }, messageOf(error));
    }
  }

  /** One that speaks PCP or NAT-PMP; where none answers, one that speaks UPnP. */
  async #find(signal: AbortSignal): Promise<Gateway> {
    const { bindAddress, random } = this.#options;
    const { portControlPort: port = PORT_CONTROL_PORT, repeatMs = GATEWAY_REPEAT_MS } =
      this.#options;
    const { ssdpGroup: group = SSDP_GROUP, searchMs: waitMs = SSDP_SEARCH_MS } = this.#options;
    const networks = await (this.#options.networks?.() ?? gatedNetworks(bindAddress));
    if (networks.length === 0) throw new GatewayRefusal('there is no network with a gateway');
    const upnpSearch = new AbortController();
    const upnp = Promise.any(
      networks.map(({ localAddress }) =>
        findUpnp(
          { localAddress, group, waitMs, random },
          AbortSignal.any([signal, upnpSearch.signal]),
        ),
      ),
    );
    upnp.catch(() => undefined);
    try {
      const gateway = await Promise.any(
        networks.map(({ localAddress, gateway: address }) =>
          findPortControl({ localAddress, address, port, repeatMs }, signal),
        ),
      );
      upnpSearch.abort();
      return gateway;
    } catch {
      return await upnp;
    }
  }
}

/** On a session that is bound to loopback nothing leaves the host, and there is no gateway. */
export function mayHaveGateway(bindAddress: string | undefined): boolean {
  return bindAddress === undefined || !isLoopback(bindAddress);
}

function checkGranted({ externalPort, lifetimeSeconds }: GrantedMapping): void {
  if (!isPort(externalPort) || externalPort === 0 || lifetimeSeconds === 0) {
    throw new GatewayRefusal('it grants nothing');
  }
}

function messageOf(error: unknown): string {
  if (error instanceof AggregateError) return 'no gateway answers';
  if (error instanceof Error && error.name === 'TimeoutError') return 'no answer in time';
  if (error instanceof GatewayRefusal) return `the gateway refuses: ${error.message}`;
  return error instanceof Error ? error.message : String(error);
}
