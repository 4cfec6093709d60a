// A swarm of real Torrents on virtual time: each on a host of the simulated network, with a disk and a tracker.

import type { Endpoint } from '@bt/endpoint';
import { expectedPiece, type Info, toHex } from '@bt/metainfo';
import {
  Alarm,
  createRandom,
  type Host,
  Network,
  type NetworkOptions,
  type Random,
  type StreamEnd,
  VirtualClock,
} from '@bt/simulator';
import type { AnnounceRequest } from '@bt/tracker';
import { HandshakeReader } from '@bt/wire';
import {
  defaultStrategies,
  MagnetTorrent,
  makePeerId,
  type Peer,
  type PeerTransport,
  RateLimit,
  type Strategies,
  Torrent,
  type TorrentEffect,
  type TorrentEvent,
} from '../../src/index.ts';
import type { Content } from './content.ts';
import { SimDisk } from './sim-disk.ts';
import { isWebFetchEffect, SimWebFetches, type SimWebServer } from './sim-web-server.ts';

const PORT = 6881;

export interface SwarmOptions extends NetworkOptions {
  readonly seed?: number;
}

export interface NodeOptions {
  readonly isSeed?: boolean;
  /** Pieces it begins with. */
  readonly have?: readonly number[];
  readonly strategies?: Partial<Strategies>;
  readonly upBytesPerSecond?: number;
  readonly downBytesPerSecond?: number;
  /** The host's line, as opposed to the limits that the client sets itself. */
  readonly lineUp?: number;
  readonly lineDown?: number;
  readonly latencyMs?: number;
  readonly uploadSlots?: number;
  readonly maxPeers?: number;
  readonly bufferBytes?: number;
  readonly sequential?: boolean;
  readonly diskDelayMs?: number;
  readonly announces?: boolean;
  readonly webServers?: readonly SimWebServer[];
  /** Files wanted; absent: all. */
  readonly files?: readonly number[];
  /** Of a hybrid torrent it knows only this. */
  readonly half?: 'v1' | 'v2';
  /** As from a magnet link: the piece layers are yet to come from peers. */
  readonly lacksLayers?: boolean;
  /** It begins with these info-hashes alone, and with its disk as soon as it has the info dictionary. */
  readonly magnet?: Pick<Info, 'infoHashV1' | 'infoHashV2'>;
  /** How long it takes to open the files then. Default 500. */
  readonly openingMs?: number;
  readonly wantsPieceLayers?: boolean;
  /** Its piece layers are wrong, and so are the hashes that it sends. */
  readonly hasWrongLayers?: boolean;
  /** Default false: who knows whom is the test's. */
  readonly peerExchange?: boolean;
  /** It has a DHT node, which knows whoever has announced itself there. Default false. */
  readonly dht?: boolean;
  /** It sends some wrong blocks, and may be banned for it. */
  readonly isWrong?: (pieceIndex: number, blockOffset: number) => boolean;
}

export class SimSwarm {
  readonly clock = new VirtualClock();
  readonly network: Network;
  readonly random: Random;
  readonly content: Content;
  readonly nodes: SimNode[] = [];
  #hostCount = 0;
  /** Who has announced itself, by info-hash. */
  readonly announced = new Map<string, Endpoint[]>();
  /** Who has announced itself to the DHT. */
  readonly announcedToDht: Endpoint[] = [];

  constructor(content: Content, options: SwarmOptions = {}) {
    this.content = content;
    this.random = createRandom(options.seed ?? 1);
    this.network = new Network(this.clock, this.random, options);
  }

  addNode(options: NodeOptions = {}): SimNode {
    const node = new SimNode(this, options);
    this.nodes.push(node);
    return node;
  }

  /** A host for a peer of the test's own. */
  addHost(): Host {
    this.#hostCount += 1;
    return this.network.addHost({ address: `10.1.0.${this.#hostCount}` });
  }

  /** Runs until all nodes (or those given) have everything; the time it took from now, or undefined. */
  runUntilDone(limitMs: number, nodes: readonly SimNode[] = this.nodes): number | undefined {
    const start = this.clock.now;
    const isOver = this.clock.runWhile(
      () => nodes.some((node) => !node.machine.isDone),
      start + limitMs,
    );
    return isOver ? this.clock.now - start : undefined;
  }
}

export class SimNode {
  readonly host: Host;
  readonly disk: SimDisk;
  machine: Torrent | MagnetTorrent;
  readonly events: TorrentEvent[] = [];
  readonly endpoint: Endpoint;
  readonly initialPieces: ReadonlySet<number>;
  readonly pieceLayers: Map<string, Uint8Array>;
  readonly isLiar: boolean;
  doneMs: number | undefined;
  /** When the DHT was asked. */
  readonly lookupsMs: number[] = [];
  /** What it has told trackers, in order. */
  readonly announces: AnnounceRequest[] = [];
  /** DHT nodes that peers have named. */
  readonly nodesTold: Endpoint[] = [];
  isStopped = false;
  readonly #swarm: SimSwarm;
  readonly #options: NodeOptions;
  readonly #info: Info;
  readonly #have: Uint8Array;
  readonly #shared: Omit<ConstructorParameters<typeof MagnetTorrent>[0], 'now'>;
  readonly #alarm: Alarm;
  readonly #webFetches: SimWebFetches;

  constructor(swarm: SimSwarm, options: NodeOptions) {
    this.#swarm = swarm;
    const { clock, content } = swarm;
    this.#options = options;
    const info = halfOf(content.info, options.half);
    this.#info = info;
    const number = swarm.nodes.length;
    this.host = swarm.network.addHost({
      address: `10.0.${number >> 8}.${(number & 255) + 1}`,
      ...(options.lineUp === undefined ? {} : { upBytesPerSecond: options.lineUp }),
      ...(options.lineDown === undefined ? {} : { downBytesPerSecond: options.lineDown }),
      ...(options.latencyMs === undefined ? {} : { latencyMs: options.latencyMs }),
    });
    this.pieceLayers = new Map(options.lacksLayers === true ? [] : content.metainfo.pieceLayers);
    if (options.hasWrongLayers === true) {
      for (const [root, layer] of this.pieceLayers) {
        this.pieceLayers.set(
          root,
          layer.map((byte, at) => (at === 40 ? byte ^ 1 : byte)),
        );
      }
    }
    this.endpoint = { address: this.host.address, port: PORT };
    this.disk = new SimDisk(
      clock,
      content,
      options.diskDelayMs ?? 1,
      (piece) => expectedPiece(info, this.pieceLayers, piece) !== undefined,
    );
    this.isLiar = options.isWrong !== undefined || options.hasWrongLayers === true;
    if (options.isWrong !== undefined) this.disk.isWrong = options.isWrong;
    const have = new Uint8Array((info.geometry.pieceCount + 7) >>> 3);
    const pieces =
      options.isSeed === true ? [...Array(info.geometry.pieceCount).keys()] : (options.have ?? []);
    this.initialPieces = new Set(pieces);
    for (const piece of pieces) have[piece >>> 3]! |= 0x80 >>> (piece & 7);
    this.#have = have;
    this.#shared = {
      peerId: makePeerId(swarm.random),
      listenPort: PORT,
      peerExchange: options.peerExchange ?? false,
      dhtPort: options.dht === true ? PORT : 0,
      announceTiers: options.announces === false ? [] : [['http://10.9.9.9/announce']],
      random: swarm.random,
      downLimit: new RateLimit(options.downBytesPerSecond),
      upLimit: new RateLimit(options.upBytesPerSecond),
      maxPeers: options.maxPeers,
    };
    this.machine =
      options.magnet === undefined
        ? this.#makeTorrent()
        : new MagnetTorrent({ ...this.#shared, ...options.magnet, now: clock.now });
    this.#webFetches = new SimWebFetches(options.webServers ?? [], (id) => ({
      answer: (answer) => this.act(() => this.torrent.handleWebAnswer(clock.now, id, answer)),
      bytes: (chunk) => this.act(() => this.torrent.handleWebBytes(clock.now, id, chunk)),
      end: (failure) => this.act(() => this.torrent.handleWebEnd(clock.now, id, failure)),
    }));
    this.#alarm = new Alarm(clock, () => this.act(() => this.machine.handleTimeout(clock.now)));
    this.disk.connect({
      onPieceSaved: (piece, result) =>
        this.act(() => this.torrent.handlePieceSaved(clock.now, piece, result)),
      onBlockRead: (token, bytes, error) =>
        this.act(() => this.torrent.handleBlockRead(clock.now, token, bytes, error)),
      onPieceVerified: (piece, isRight) =>
        this.act(() => this.torrent.handlePieceVerified(clock.now, piece, isRight)),
      onBlocksHashed: (piece, hashes, error) =>
        this.act(() => this.torrent.handleBlocksHashed(clock.now, piece, hashes, error)),
      onBufferReturned: (buffer) =>
        this.act(() => this.torrent.handleBufferReturned(clock.now, buffer)),
      onStalled: (error) => this.act(() => this.torrent.handleStalled(clock.now, error)),
      onResumed: () => this.act(() => this.torrent.handleResumed(clock.now)),
      onFileChanged: (file, error) =>
        this.act(() => this.torrent.handleFileChanged(clock.now, file, error)),
    });
    this.host.listen(PORT, (stream) => this.#accept(stream));
  }

  /** As soon as the info dictionary is there. */
  get torrent(): Torrent {
    if (this.machine instanceof MagnetTorrent) throw new Error('there is no info dictionary yet');
    return this.machine;
  }

  get stats() {
    return this.machine.stats(this.#swarm.clock.now);
  }

  start(): this {
    this.act(() => this.machine.start(this.#swarm.clock.now));
    return this;
  }

  stop(): void {
    this.isStopped = true;
    this.act(() => this.machine.stop(this.#swarm.clock.now));
    this.host.stopListening(PORT);
    for (const peers of this.#swarm.announced.values()) {
      const index = peers.findIndex(({ address }) => address === this.host.address);
      if (index >= 0) peers.splice(index, 1);
    }
  }

  connectTo(...others: readonly (SimNode | Endpoint)[]): this {
    const endpoints = others.map((other) => (other instanceof SimNode ? other.endpoint : other));
    const { now } = this.#swarm.clock;
    this.act(() => this.machine.handleCandidates(now, endpoints, 'user', false));
    return this;
  }

  /** Calls the machine and drains it. */
  act(call: () => void): void {
    call();
    for (;;) {
      const effect = this.machine.poll();
      if (effect === undefined) break;
      if (effect.type === 'dial') this.#dial(effect.endpoint);
      else if (effect.type === 'announce') this.#announce(effect);
      else if (effect.type === 'event') this.#heard(effect.event);
      else if (effect.type === 'metadata') this.#openFiles();
      else if (effect.type === 'dht-lookup') this.#lookUp();
      else if (effect.type === 'dht-node') this.nodesTold.push(effect.endpoint);
      else if (effect.type === 'chunk') this.onChunk?.(effect.bytes);
      else if (isWebFetchEffect(effect)) this.#webFetches.carryOut(effect);
    }
    this.#alarm.set(this.machine.deadline());
  }

  onChunk: ((bytes: Uint8Array | undefined) => void) | undefined;

  #heard(event: TorrentEvent): void {
    this.events.push(event);
    if (event.type === 'done') this.doneMs = this.#swarm.clock.now;
  }

  #announce({ requestId, url, request }: TorrentEffect & { type: 'announce' }): void {
    const { clock, announced } = this.#swarm;
    const key = toHex(request.infoHash);
    this.announces.push(request);
    clock.after(20, () => {
      const known = announced.get(key) ?? [];
      announced.set(key, known);
      const peers = known.filter((other) => other.address !== this.host.address);
      if (peers.length === known.length && !this.isStopped) known.push(this.endpoint);
      this.act(() => {
        const response = { intervalSeconds: 60, peers };
        this.machine.handleAnnounced(clock.now, requestId, url, response);
      });
    });
  }

  #makeTorrent(presence?: MagnetTorrent['presence']): Torrent {
    const { clock } = this.#swarm;
    const options = this.#options;
    return new Torrent({
      ...this.#shared,
      now: clock.now,
      info: this.#info,
      disk: this.disk,
      have: this.#have,
      pieceLayers: this.pieceLayers,
      wantsPieceLayers: options.wantsPieceLayers,
      webSeeds: options.webServers?.map(({ url }) => url),
      strategies: { ...defaultStrategies, ...options.strategies },
      files: options.files,
      uploadSlots: options.uploadSlots,
      bufferBytes: options.bufferBytes,
      sequential: options.sequential,
      presence,
    });
  }

  /** It takes a moment; then the torrent takes over. */
  #openFiles(): void {
    const { clock } = this.#swarm;
    clock.after(this.#options.openingMs ?? 500, () => {
      if (!(this.machine instanceof MagnetTorrent) || this.isStopped) return;
      const { presence } = this.machine;
      this.act(() => {
        this.machine = this.#makeTorrent(presence);
        this.machine.start(clock.now);
      });
    });
  }

  #lookUp(): void {
    const { clock, announcedToDht } = this.#swarm;
    this.lookupsMs.push(clock.now);
    clock.after(200, () => {
      const peers = announcedToDht.filter(({ address }) => address !== this.host.address);
      if (peers.length === announcedToDht.length) announcedToDht.push(this.endpoint);
      this.act(() => {
        this.machine.handleCandidates(clock.now, peers, 'dht', false);
        this.machine.handleLookupEnded(clock.now);
      });
    });
  }

  #dial(endpoint: Endpoint): void {
    const stream = this.host.connect(endpoint);
    const { clock } = this.#swarm;
    let peer: Peer | undefined;
    stream.listener = {
      onConnect: () => {
        const transport = new SimTransport(stream);
        this.act(() => {
          peer = this.machine.addPeer(clock.now, transport, { endpoint, direction: 'out' });
        });
        if (peer === undefined) stream.close();
      },
      onData: (bytes) => {
        if (peer !== undefined) this.#data(peer, bytes);
      },
      onWritable: () => {
        if (peer !== undefined) this.#writable(peer);
      },
      onClose: (error) => {
        this.act(() => {
          if (peer === undefined) this.machine.handleDialFailed(clock.now, endpoint);
          else this.machine.handleClosed(clock.now, peer, error);
        });
      },
    };
  }

  #accept(stream: StreamEnd): void {
    const { clock } = this.#swarm;
    const reader = new HandshakeReader();
    let peer: Peer | undefined;
    stream.listener = {
      onData: (bytes) => {
        if (peer !== undefined) {
          this.#data(peer, bytes);
          return;
        }
        const taken = reader.handleBytes(bytes);
        const { handshake } = reader;
        if (handshake === undefined) return;
        const transport = new SimTransport(stream);
        this.act(() => {
          peer = this.machine.addPeer(clock.now, transport, {
            endpoint: stream.remoteEndpoint,
            direction: 'in',
            handshake,
          });
        });
        if (peer === undefined) stream.close();
        else if (taken < bytes.length) this.#data(peer, bytes.subarray(taken));
      },
      onWritable: () => {
        if (peer !== undefined) this.#writable(peer);
      },
      onClose: (error) => {
        if (peer === undefined) return;
        const closed = peer;
        this.act(() => this.machine.handleClosed(clock.now, closed, error));
      },
    };
  }

  #data(peer: Peer, bytes: Uint8Array): void {
    this.act(() => this.machine.handleBytes(this.#swarm.clock.now, peer, bytes));
  }

  #writable(peer: Peer): void {
    this.act(() => this.machine.handleWritable(this.#swarm.clock.now, peer));
  }
}

/** What somebody knows of a hybrid torrent who speaks one of its two formats. */
function halfOf(info: Info, half: 'v1' | 'v2' | undefined): Info {
  const { infoHashV1, infoHashV2, pieceHashes, ...rest } = info;
  if (half === 'v1')
    return { ...rest, version: 'v1', infoHashV1: infoHashV1!, pieceHashes: pieceHashes! };
  if (half === undefined) return info;
  return { ...rest, version: 'v2', infoHash: infoHashV2!.subarray(0, 20), infoHashV2: infoHashV2! };
}

class SimTransport implements PeerTransport {
  readonly #stream: StreamEnd;

  constructor(stream: StreamEnd) {
    this.#stream = stream;
  }

  get queuedBytes(): number {
    return this.#stream.queuedBytes;
  }

  send(bytes: Uint8Array): void {
    this.#stream.send(bytes);
  }

  sendBlock(header: Uint8Array, block: Uint8Array): void {
    this.#stream.send(header);
    this.#stream.send(block);
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  close(): void {
    this.#stream.close();
  }
}
