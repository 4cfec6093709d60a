// The ports of a session in its gateway: keeps the list, tells the torrents, and hands on what the gateway says of us.

import type { ExternalAddress } from '../../discovery/external-address.ts';
import type { TorrentEvent } from '../../events.ts';
import type { LocalPort } from '../../port-mapping/mapping.ts';
import { PortMapper, type PortMapping } from './port-mapper.ts';

type PortMappingEvent = TorrentEvent & { readonly type: 'port-mapping' };

export interface MappedPortsOptions {
  readonly bindAddress: string | undefined;
  readonly random: () => number;
  readonly external: ExternalAddress;
  readonly tell: (event: PortMappingEvent) => void;
}

export class MappedPorts {
  readonly #options: MappedPortsOptions;
  readonly #mapper: PortMapper;
  readonly #mappings = new Map<string, PortMapping>();

  constructor(options: MappedPortsOptions) {
    const { bindAddress, random } = options;
    this.#options = options;
    this.#mapper = new PortMapper({
      bindAddress,
      random,
      mapped: (mapping) => this.#mapped(mapping),
      failed: (port, message) => this.#failed(port, message),
    });
  }

  list(): readonly PortMapping[] {
    return [...this.#mappings.values()];
  }

  add(port: LocalPort): void {
    this.#mapper.add(port);
  }

  /** See `PortMapper.close`. */
  close(): Promise<void> {
    return this.#mapper.close();
  }

  #mapped(mapping: PortMapping): void {
    const { protocol, port, externalPort, externalAddress, gateway, gatewayProtocol } = mapping;
    this.#mappings.set(`${protocol} ${port}`, mapping);
    if (externalAddress !== undefined) this.#options.external.vote(gateway, externalAddress);
    this.#noteExternal(protocol, externalPort);
    this.#options.tell({
      ...{ type: 'port-mapping', protocol, port, outcome: 'ok', message: undefined },
      ...{ externalPort, externalAddress, gatewayProtocol },
    });
  }

  #failed({ protocol, port }: LocalPort, message: string): void {
    this.#mappings.delete(`${protocol} ${port}`);
    this.#noteExternal(protocol, undefined);
    this.#options.tell({
      ...{ type: 'port-mapping', protocol, port, outcome: 'failed', message },
      ...{ externalPort: undefined, externalAddress: undefined, gatewayProtocol: undefined },
    });
  }

  /** The one UDP port of a session is that of its DHT node. */
  #noteExternal(protocol: LocalPort['protocol'], externalPort: number | undefined): void {
    const { external } = this.#options;
    if (protocol === 'tcp') external.mappedPort = externalPort;
    else external.mappedDhtPort = externalPort;
  }
}
