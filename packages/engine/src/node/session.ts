// A session: torrents that share a listening port, a dialler, rate limits and a peer id.

import { isLoopback, isPort, parseAddress } from '@bt/endpoint';
import type { CreateDhtOptions, DhtNode } from '@bt/krpc-dht/node';
import { type Metainfo, parseMetainfo, swarmHashes, toHex } from '@bt/metainfo';
import { makePeerId } from '../client-name.ts';
import { ExternalAddress } from '../discovery/external-address.ts';
import { reachesLocalNetwork } from '../discovery/local-discovery.ts';
import { EngineError } from '../errors.ts';
import { MAX_TORRENT_NODES, MAX_TORRENTS } from '../limits.ts';
import type { Peer } from '../peer.ts';
import { RateLimit } from '../rate-limit.ts';
import { Connections } from './connections.ts';
import { DhtLookups } from './dht-lookups.ts';
import { Dialler } from './dial.ts';
import { type AcceptedOwner, Listener } from './listen.ts';
import { LocalDiscoveryService, localNetworks } from './local-discovery.ts';
import { createSystemRandom } from './random.ts';
import { resolvePeer } from './resolve-peer.ts';
import { type AddTorrentOptions, type SessionParts, TorrentHandle } from './torrent-handle.ts';

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
   * bound to `bindAddress`; bound to loopback it knows no routers and resolves no names. Default false, as above.
   */
  readonly dht?: boolean | CreateDhtOptions | DhtNode;
  /** Where resume records are kept; null keeps none. Default: storage's state folder. */
  readonly resumeDir?: string | null;
  /** Aborting it stops the session. */
  readonly signal?: AbortSignal;
}

/** Opens a session and its port. @throws {EngineError} `listen`, `bad-argument` */
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

  torrents(): readonly TorrentHandle[] {
    return [...this.#torrents];
  }

  /**
   * Adds a torrent: the bytes of a .torrent file, or what `parseMetainfo` made of them. Returns at once; opening and
   * checking its files goes on behind, and what goes wrong there comes as `stopped` event and rejects `complete`.
   *
   * @throws {MetainfoError} the bytes are no torrent. {@link EngineError} `duplicate-torrent`, `too-many`, `stopped`,
   *   `bad-argument`
   */
  async add(torrent: Uint8Array | Metainfo, options: AddTorrentOptions): Promise<TorrentHandle> {
    if (this.#stopping !== undefined) {
      throw new EngineError('stopped', 'the session is stopped');
    }
    const metainfo = torrent instanceof Uint8Array ? parseMetainfo(torrent) : torrent;
    checkTorrentOptions(metainfo, options);
    if (this.#torrents.size >= MAX_TORRENTS) {
      throw new EngineError('too-many', `a session has at most ${MAX_TORRENTS} torrents`);
    }
    const handle = new TorrentHandle(metainfo, options, this.#parts(options));
    const keys = hashesOf(metainfo);
    if (keys.some((key) => this.#byHash.has(key))) {
      throw new EngineError('duplicate-torrent', `${handle.name} is in this session already`);
    }
    this.#torrents.add(handle);
    for (const key of keys) this.#byHash.set(key, handle);
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
    if (signal?.aborted === true) throw new EngineError('aborted', 'aborted', signal.reason);
    if (this.#options.listen !== false) {
      this.#listener = await Listener.open(
        { address: bindAddress, port: listenPort, connections: this.#connections },
        { accept: (handshake, endpoint) => this.#accept(handshake, endpoint) },
      );
    }
    await this.#openDht();
    if (this.#options.localDiscovery === true) this.#openLocalDiscovery();
    signal?.addEventListener('abort', this.#onAbort, { once: true });
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
      begun: ({ metainfo }) => {
        if (metainfo.info.isPrivate) return;
        for (const infoHash of hashesOf(metainfo)) localDiscovery?.add(infoHash);
        if (dht !== undefined) void this.#addNodes(dht, metainfo);
      },
      removed: (handle) => {
        this.#torrents.delete(handle);
        for (const key of hashesOf(handle.metainfo)) {
          this.#byHash.delete(key);
          localDiscovery?.remove(key);
        }
      },
    };
  }

  /** Those that the .torrent names are asked as well. */
  async #addNodes(dht: DhtLookups, { nodes }: Metainfo): Promise<void> {
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
    await Promise.all(this.torrents().map((torrent) => torrent.stop()));
    this.#dialler.close();
    await this.#dht?.close();
  }
}

/** The info-hashes that peers may name in a handshake. */
function hashesOf({ info }: Metainfo): string[] {
  return swarmHashes(info).map(toHex);
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

function checkTorrentOptions({ info }: Metainfo, { files }: AddTorrentOptions): void {
  for (const fileIndex of files ?? []) {
    if (Number.isInteger(fileIndex) && fileIndex >= 0 && fileIndex < info.files.count) continue;
    throw new EngineError('bad-argument', `there is no file ${fileIndex}`);
  }
}
