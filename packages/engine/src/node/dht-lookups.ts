// The DHT of a session (BEP 5): one node for all torrents. When to ask is a torrent's (discovery/dht-schedule.ts); here it is done.

import type { AddressFamily, Endpoint } from '@bt/endpoint';
import { DhtError } from '@bt/krpc-dht';
import { type CreateDhtOptions, createDht, type DhtNode } from '@bt/krpc-dht/node';
import type { ExternalAddress } from '../discovery/external-address.ts';
import { EngineError } from '../errors.ts';

/** A torrent looks for peers, and tells of itself. */
export interface DhtLookup {
  /** 20 bytes each: a hybrid torrent has two swarms. */
  readonly infoHashes: readonly Uint8Array[];
  /** Where we listen for peers; 0: nowhere, and we are not announced. */
  readonly listenPort: number;
  /** We have everything (BEP 33). */
  readonly isSeed: boolean;
  readonly signal: AbortSignal;
  /** Peers, as soon as a node tells of them. */
  found(peers: readonly Endpoint[], infoHash: Uint8Array): void;
}

export class DhtLookups {
  readonly node: DhtNode;
  readonly #isOurs: boolean;
  readonly #external: ExternalAddress;

  private constructor(node: DhtNode, isOurs: boolean, external: ExternalAddress) {
    this.node = node;
    this.#isOurs = isOurs;
    this.#external = external;
  }

  /**
   * @param dht a node of the owner's, which stays open at the end; options of one to make; or true: one that binds to
   *   `bindAddress` and enters by the public routers
   * @throws {EngineError} `listen`, `bad-argument`
   */
  static async open(
    dht: true | CreateDhtOptions | DhtNode,
    bindAddress: string | undefined,
    external: ExternalAddress,
  ): Promise<DhtLookups> {
    if (isNode(dht)) return new DhtLookups(dht, false, external);
    const options = dht === true ? {} : dht;
    const bind = [options.bind ?? []].flat();
    if (bindAddress !== undefined && bind.some((address) => address !== bindAddress)) {
      const where = `${bind.join(', ')}, and the session to ${bindAddress}`;
      throw new EngineError('bad-argument', `the DHT node is bound to ${where}`);
    }
    try {
      const node = await createDht({ ...options, bind: bindAddress ?? options.bind });
      return new DhtLookups(node, true, external);
    } catch (error) {
      if (!(error instanceof DhtError)) throw error;
      const code = error.code === 'socket' ? 'listen' : 'bad-argument';
      throw new EngineError(code, error.message, error);
    }
  }

  /** The UDP port. */
  get port(): number {
    return this.node.port;
  }

  /** Nodes that are known, of both families. */
  get nodeCount(): number {
    return this.node.nodeCount(4) + this.node.nodeCount(6);
  }

  /** Ends when every swarm has been looked for. False: one of them could not be, and the next lookup may go better. */
  async lookUp(lookup: DhtLookup): Promise<boolean> {
    const searches = lookup.infoHashes.map((infoHash) => this.#search(lookup, infoHash));
    const results = await Promise.allSettled(searches);
    for (const family of [4, 6] as const) this.#voteOf(family);
    return results.every(({ status }) => status === 'fulfilled');
  }

  /** A node that somebody has told us of. */
  addNode(endpoint: Endpoint): void {
    this.node.addNode(endpoint);
  }

  async close(): Promise<void> {
    // Its table could not be saved: the next run enters the network as a first one does.
    if (this.#isOurs) await this.node.close().catch(() => {});
  }

  async #search(lookup: DhtLookup, infoHash: Uint8Array): Promise<void> {
    const { listenPort, isSeed, signal } = lookup;
    const onPeers = (peers: readonly Endpoint[]) => lookup.found(peers, infoHash);
    if (listenPort === 0) {
      for await (const peer of this.node.getPeers(infoHash, { signal })) onPeers([peer]);
      return;
    }
    const port = this.#external.portOf(listenPort);
    await this.node.announce(infoHash, { port, seed: isSeed, signal, onPeers });
  }

  /** What the nodes agree on is one more voice on our own address. */
  #voteOf(family: AddressFamily): void {
    const address = this.node.externalAddress(family);
    if (address !== undefined) this.#external.vote('dht', address);
  }
}

function isNode(dht: true | CreateDhtOptions | DhtNode): dht is DhtNode {
  return dht !== true && 'getPeers' in dht;
}
