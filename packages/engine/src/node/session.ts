// A session: torrents that share a listening port, a dialler, rate limits and a peer id.

import { isLoopback, isPort, parseAddress } from '@bt/endpoint';
import type { CreateDhtOptions, DhtNode } from '@bt/krpc-dht/node';
import {
  type HostPort,
  type Magnet,
  type Metainfo,
  parseMagnet,
  parseMetainfo,
  toHex,
} from '@bt/metainfo';
import { makePeerId } from '../client-name.ts';
import { ExternalAddress } from '../discovery/external-address.ts';
import { reachesLocalNetwork } from '../discovery/local-discovery.ts';
import { EngineError } from '../errors.ts';
import { MAX_TORRENT_NODES, MAX_TORRENTS } from '../limits.ts';
import type { Peer } from '../peer.ts';
import { RateLimit } from '../rate-limit.ts';
import type { AddTorrentOptions } from './add-torrent-options.ts';
import { Connections } from './connections.ts';
import { DhtLookups } from './dht-lookups.ts';
import { Dialler } from './dial.ts';
import { type AcceptedOwner, Listener } from './listen.ts';
import { LocalDiscoveryService, localNetworks } from './local-discovery.ts';
import { checkPeer, resolvePeer } from './named-peers.ts';
import { MappedPorts } from './port-mapping/mapped-ports.ts';
import { mayHaveGateway, type PortMapping } from './port-mapping/port-mapper.ts';
import { createSystemRandom } from './random.ts';
import type { SessionParts } from './session-parts.ts';
import { TorrentHandle } from './torrent-handle.ts';
import { checkFiles, sourceOf, type TorrentSource } from './torrent-source.ts';

export interface SessionOptions {
  /** Every socket is bound to it: the listener's, outgoing peers' and trackers'. Default: any. */
  readonly bindAddress?: string;
  /** 0 or absent: a free port. */
  readonly listenPort?: number;
  /** False: no peer can reach us. Default true. */
  readonly listen?: boolean;
  /** Bytes a second for all torrents together; absent: no limit. */
  readonly maxDownBytesPerSecond?: number;
  readonly maxUpBytesPerSecond?: number;
  /** Connections, accepted and dialled, all torrents together. Default 1,000; fewer where the process has few descriptors. */
  readonly maxConnections?: number;
  /**
   * Tell the local network by multicast which torrents there are, and hear it (BEP 14); not for private ones, and never on
   * a session that is bound to loopback or doesn't listen. Default false: a session speaks to nobody whom neither a
   * torrent nor its user names.
   */
  readonly localDiscovery?: boolean;
  /**
   * A DHT node (BEP 5), one for all torrents that are not private: true for one that enters the network by the public
   * routers, options for one to make, or a node of yours, which stays open when the session stops. A node that is made is
   * bound to `bindAddress` and nowhere else; bound to loopback it knows no routers and resolves no names. Default false, as above.
   */
  readonly dht?: boolean | CreateDhtOptions | DhtNode;
  /**
   * Ask the gateway (PCP, NAT-PMP, UPnP) to pass our ports on to us: the one for peers, and the DHT node's. Never on a session
   * that is bound to loopback or doesn't listen. Default false, as above.
   */
  readonly portMapping?: boolean;
  /** Where resume records are kept; null keeps none. Default: storage's state folder. */
  readonly resumeDir?: string | null;
  /** Aborting it stops the session. */
  readonly signal?: AbortSignal;
}

/** Opens a session and its port. @throws {EngineError} `listen`, `bad-argument`, `aborted` */
export async function openSession(options: SessionOptions = {}): Promise<Session> {
  checkOptions(options);
  const session = new Session(options);
  await session.listen();
  return session;
}

export class Session {
  readonly peerId: Uint8Array;
  readonly #options: SessionOptions;
  readonly #random = createSystemRandom();
  readonly #connections: Connections;
  readonly #dialler: Dialler;
  readonly #external: ExternalAddress;
  readonly #downLimit: RateLimit;
  readonly #upLimit: RateLimit;
  readonly #torrents = new Set<TorrentHandle>();
  /** By info-hash, as peers name it: a hybrid has two. */
  readonly #byHash = new Map<string, TorrentHandle>();
  readonly #onAbort = () => void this.stop();
  #listener: Listener | undefined;
  #localDiscovery: LocalDiscoveryService | undefined;
  #dht: DhtLookups | undefined;
  #mappedPorts: MappedPorts | undefined;
  #stopping: Promise<void> | undefined;

  /** Use `openSession`. */
  constructor(options: SessionOptions) {
    this.#options = options;
    this.peerId = makePeerId(this.#random);
    this.#connections = new Connections({
      max: options.maxConnections,
      accepts: options.listen !== false,
    });
    this.#dialler = new Dialler(options.bindAddress, this.#connections);
    this.#external = new ExternalAddress(options.bindAddress);
    this.#downLimit = new RateLimit(options.maxDownBytesPerSecond);
    this.#upLimit = new RateLimit(options.maxUpBytesPerSecond);
  }

  /** The port that peers reach us at; 0 when the session doesn't listen. */
  get port(): number {
    return this.#listener?.port ?? 0;
  }

  /** The address that sockets are bound to, if any. */
  get address(): string | undefined {
    return this.#options.bindAddress;
  }

  /** The DHT node, if there is one. */
  get dht(): DhtNode | undefined {
    return this.#dht?.node;
  }

  /** The ports that the gateway passes on to us. */
  portMappings(): readonly PortMapping[] {
    return this.#mappedPorts?.list() ?? [];
  }

  torrents(): readonly TorrentHandle[] {
    return [...this.#torrents];
  }

  /**
   * Adds a torrent: the bytes of a .torrent file, or what `parseMetainfo` made of them; or a magnet link, or what
   * `parseMagnet` made of it. Returns at once; getting the info dictionary, opening and checking the files goes on behind,
   * and what goes wrong there comes as `stopped` event and rejects `metadata` and `complete`.
   *
   * @throws {MetainfoError} the bytes are no torrent, or the text is no magnet link. {@link EngineError} `duplicate-torrent`, `too-many`, `stopped`,
   *   `bad-argument`
   */
  async add(
    torrent: Uint8Array | Metainfo | string | Magnet,
    options: AddTorrentOptions,
  ): Promise<TorrentHandle> {
    if (this.#stopping !== undefined) {
      throw new EngineError('stopped', 'the session is stopped');
    }
    const source = sourceOf(parsed(torrent));
    checkTorrentOptions(source, options);
    if (this.#torrents.size >= MAX_TORRENTS) {
      throw new EngineError('too-many', `a session has at most ${MAX_TORRENTS} torrents`);
    }
    const handle = new TorrentHandle(source, options, this.#parts(options));
    this.#identify(handle);
    this.#torrents.add(handle);
    void handle.run();
    return handle;
  }

  /** Stops all torrents (see `TorrentHandle.stop`) and closes the port. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** For `openSession`. */
  async listen(): Promise<void> {
    const { bindAddress, listenPort = 0, signal } = this.#options;
    this.#checkAborted();
    if (this.#options.listen !== false) {
      this.#listener = await Listener.open(
        { address: bindAddress, port: listenPort, connections: this.#connections },
        { accept: (handshake, endpoint) => this.#accept(handshake, endpoint) },
      );
    }
    await this.#openDht();
    if (signal?.aborted === true) await this.stop();
    this.#checkAborted();
    if (this.#options.localDiscovery === true) this.#openLocalDiscovery();
    if (this.#options.portMapping === true) this.#openMappedPorts();
    signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  #checkAborted(): void {
    const { signal } = this.#options;
    if (signal?.aborted === true) throw new EngineError('aborted', 'aborted', signal.reason);
  }

  async #openDht(): Promise<void> {
    const { dht, bindAddress } = this.#options;
    if (dht === undefined || dht === false) return;
    try {
      this.#dht = await DhtLookups.open(dht, bindAddress, this.#external);
    } catch (error) {
      this.#listener?.close();
      throw error;
    }
  }

  #openMappedPorts(): void {
    const { bindAddress } = this.#options;
    if (this.port === 0 || !mayHaveGateway(bindAddress)) return;
    this.#mappedPorts = new MappedPorts({
      bindAddress,
      random: this.#random,
      external: this.#external,
      tell: (event) => {
        for (const torrent of this.#torrents) torrent.tell(event);
      },
    });
    this.#mappedPorts.add({ protocol: 'tcp', port: this.port });
    if (this.#dht !== undefined) this.#mappedPorts.add({ protocol: 'udp', port: this.#dht.port });
  }

  #openLocalDiscovery(): void {
    const { bindAddress } = this.#options;
    if (this.port === 0 || !reachesLocalNetwork(bindAddress)) return;
    this.#localDiscovery = new LocalDiscoveryService({
      port: this.port,
      random: this.#random,
      networks: () => localNetworks(bindAddress),
      found: (infoHash, endpoint) => {
        const isOnLoopback = isLoopback(endpoint.address);
        this.#byHash.get(infoHash)?.addCandidates([endpoint], 'lsd', isOnLoopback);
      },
    });
  }

  #accept(
    handshake: Parameters<Parameters<typeof Listener.open>[1]['accept']>[0],
    endpoint: Parameters<Parameters<typeof Listener.open>[1]['accept']>[1],
  ): AcceptedOwner | undefined {
    const torrent = this.#byHash.get(toHex(handshake.infoHash));
    if (torrent === undefined) return undefined;
    let peer: Peer | undefined;
    return {
      onConnected: (transport) => {
        peer = torrent.addPeerConnection(transport, { endpoint, direction: 'in', handshake });
        return peer !== undefined;
      },
      onBytes: (chunk) => {
        if (peer !== undefined) torrent.handleBytes(peer, chunk);
      },
      onWritable: () => {
        if (peer !== undefined) torrent.handleWritable(peer);
      },
      onClosed: (error) => {
        if (peer !== undefined) torrent.handleClosed(peer, error);
      },
    };
  }

  #parts(options: AddTorrentOptions): SessionParts {
    const localDiscovery = options.localDiscovery === false ? undefined : this.#localDiscovery;
    const dht = options.dht === false ? undefined : this.#dht;
    return {
      peerId: this.peerId,
      listenPort: this.port,
      bindAddress: this.#options.bindAddress,
      resumeDir: this.#options.resumeDir,
      external: this.#external,
      random: this.#random,
      downLimit: this.#downLimit,
      upLimit: this.#upLimit,
      dialler: this.#dialler,
      connections: this.#connections,
      dht,
      begun: ({ metainfo, infoHashes }) => {
        const isPrivate = metainfo?.info.isPrivate === true;
        for (const key of infoHashes.map(toHex)) {
          if (isPrivate) localDiscovery?.remove(key);
          else localDiscovery?.add(key);
        }
        if (dht !== undefined && !isPrivate) void this.#addNodes(dht, metainfo?.nodes ?? []);
      },
      identified: (handle) => this.#identify(handle),
      removed: (handle) => {
        this.#torrents.delete(handle);
        for (const key of handle.infoHashes.map(toHex)) {
          if (this.#byHash.get(key) !== handle) continue;
          this.#byHash.delete(key);
          localDiscovery?.remove(key);
        }
      },
    };
  }

  /** Peers that name one of its info-hashes are passed to it. @throws {EngineError} `duplicate-torrent` */
  #identify(handle: TorrentHandle): void {
    const keys = handle.infoHashes.map(toHex);
    for (const key of keys) {
      if ((this.#byHash.get(key) ?? handle) === handle) continue;
      throw new EngineError('duplicate-torrent', `${handle.name} is in this session already`);
    }
    for (const key of keys) this.#byHash.set(key, handle);
  }

  /** Those that the .torrent names are asked as well. */
  async #addNodes(dht: DhtLookups, nodes: readonly HostPort[]): Promise<void> {
    for (const { host, port } of nodes.slice(0, MAX_TORRENT_NODES)) {
      // One that is not found is one less.
      const found = await resolvePeer(host, port, this.#options.bindAddress).catch(() => []);
      for (const endpoint of found) dht.addNode(endpoint);
    }
  }

  async #stop(): Promise<void> {
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    this.#listener?.close();
    this.#localDiscovery?.close();
    await Promise.all([
      this.#mappedPorts?.close(),
      ...this.torrents().map((torrent) => torrent.stop()),
    ]);
    this.#dialler.close();
    await this.#dht?.close();
  }
}

function parsed(torrent: Uint8Array | Metainfo | string | Magnet): Metainfo | Magnet {
  if (torrent instanceof Uint8Array) return parseMetainfo(torrent);
  return typeof torrent === 'string' ? parseMagnet(torrent) : torrent;
}

function checkOptions(options: SessionOptions): void {
  const { bindAddress, listenPort, maxDownBytesPerSecond, maxUpBytesPerSecond } = options;
  if (bindAddress !== undefined && parseAddress(bindAddress) === undefined) {
    throw new EngineError('bad-argument', `${bindAddress} is no IP address`);
  }
  if (listenPort !== undefined && !isPort(listenPort) && listenPort !== 0) {
    throw new EngineError('bad-argument', `${listenPort} is no port`);
  }
  for (const limit of [maxDownBytesPerSecond, maxUpBytesPerSecond]) {
    if (limit !== undefined && !(limit > 0)) {
      throw new EngineError('bad-argument', `a limit of ${limit} bytes a second`);
    }
  }
}

function checkTorrentOptions({ metainfo }: TorrentSource, options: AddTorrentOptions): void {
  const { files, maxMetadataBytes, peers } = options;
  if (maxMetadataBytes !== undefined && !(maxMetadataBytes > 0)) {
    throw new EngineError('bad-argument', `an info dictionary of ${maxMetadataBytes} bytes`);
  }
  for (const { host, port } of peers ?? []) checkPeer(host, port);
  if (metainfo !== undefined && typeof files !== 'function') checkFiles(files, metainfo.info);
}
