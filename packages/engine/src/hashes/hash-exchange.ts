// What a torrent does about the hashes of BEP 52, joined: the piece layers that it lacks and the pieces that wait for them, the
// hashes that others ask for, and those of the blocks of a failed piece. It holds no rules of its own.

import type { Info } from '@bt/metainfo';
import type { Picker } from '@bt/picker';
import type { Disk, StorageError } from '@bt/storage';
import type { HashRequest } from '@bt/wire';
import type { HashObserver } from '../conversation.ts';
import type { Download } from '../download.ts';
import type { Holdings } from '../holdings.ts';
import type { Moment } from '../moment.ts';
import { type Identity, type Peer, PeerFault } from '../peer.ts';
import type { RateLimit } from '../rate-limit.ts';
import type { Peers } from '../swarm/peers.ts';
import { BlockVerdicts } from './block-verdicts.ts';
import { HashAnswers } from './hash-answers.ts';
import { HashRequests } from './hash-requests.ts';
import { LayerDownload } from './layer-download.ts';
import { PieceLayers } from './piece-layers.ts';

export interface HashExchangeOptions {
  readonly moment: Moment;
  readonly info: Info;
  readonly pieceLayers: Map<string, Uint8Array> | undefined;
  readonly uncheckedPieces: readonly number[] | undefined;
  /** Peers are kept, and looked for, until there are all piece layers. */
  readonly wantsLayers: boolean;
  readonly disk: Pick<Disk, 'verifyPiece' | 'hashBlocks'>;
  readonly peers: Peers;
  readonly picker: Picker;
  readonly holdings: Holdings;
  readonly download: Download;
  /** Hashes that are sent count as upload. */
  readonly upLimit: RateLimit;
  readonly observer: HashExchangeObserver;
}

export interface HashExchangeObserver {
  /** The hashes of these pieces are known now: the first and the last of each file. */
  layersCame(pieces: readonly { readonly first: number; readonly last: number }[]): void;
  /** Bytes that we thought we had are wrong, or can't be read. */
  pieceInDoubt(pieceIndex: number, error: StorageError | undefined): void;
  /** Sent wrong hashes, beyond doubt. */
  liarFound(identity: Identity): void;
}

export class HashExchange implements HashObserver {
  readonly layers: PieceLayers;
  /** Pieces of which an earlier life has left every block on disk. */
  unhashed: readonly number[] = [];
  readonly #options: HashExchangeOptions;
  readonly #requests: HashRequests;
  readonly #layerDownload: LayerDownload;
  readonly #verdicts: BlockVerdicts;
  readonly #answers: HashAnswers;

  constructor(options: HashExchangeOptions) {
    const { moment, info, peers, picker, holdings, download, disk, observer } = options;
    this.#options = options;
    const layers = new PieceLayers(info, options.pieceLayers ?? new Map(), options.uncheckedPieces);
    this.layers = layers;
    const requests = new HashRequests(moment, peers);
    this.#requests = requests;
    const liarFound = (identity: Identity) => observer.liarFound(identity);
    this.#layerDownload = new LayerDownload({
      moment,
      info,
      layers,
      requests,
      peers,
      picker,
      isWanted: (fileIndex) => {
        const pieces = info.geometry.filePieces(fileIndex);
        return pieces !== undefined && holdings.isWanted(pieces.first);
      },
      layerCame: (rootHex, layer) => this.#layerCame(rootHex, layer),
      liarFound,
    });
    this.#verdicts = new BlockVerdicts({
      moment,
      info,
      layers,
      requests,
      peers,
      picker,
      probe: (peer, pieceIndex) => download.probe(peer, pieceIndex),
      judged: (failed, leaves) => download.judged(failed, leaves),
      liarFound,
    });
    download.judge = this.#verdicts;
    this.#answers = new HashAnswers({
      moment,
      info,
      layers,
      holdings,
      disk,
      peers,
      limit: options.upLimit,
      hashFailed: (pieceIndex, error) => observer.pieceInDoubt(pieceIndex, error),
    });
  }

  /** Piece layers are missing for whose sake alone peers are wanted. */
  get isLacking(): boolean {
    return this.#options.wantsLayers && !this.layers.isComplete;
  }

  /** When missing layers grew, or the search for them began. */
  get lastUsefulMs(): number {
    return this.#layerDownload.lastUsefulMs;
  }

  start(): void {
    this.#hashUnhashed();
  }

  /** What waits in memory for an answer is given up. */
  stop(): void {
    this.#verdicts.close();
  }

  /** Hashes a piece from disk: now, or when its hash is known. Until then it isn't to be asked for. */
  verify(pieceIndex: number): void {
    this.layers.mustCheck(pieceIndex);
    if (this.layers.isHashKnown(pieceIndex)) this.#options.disk.verifyPiece(pieceIndex);
  }

  /** The selection of files has changed. */
  selectionChanged(): void {
    this.#layerDownload.restart();
  }

  // One peer.

  requested(peer: Peer, request: HashRequest): void {
    this.#answers.requested(peer, request);
  }

  answered(peer: Peer, request: HashRequest, hashes: Uint8Array | undefined): void {
    this.#requests.answer(peer, request, hashes);
    // Nothing more is read of a peer that has been banned for its answer.
    if (peer.isClosed) throw new PeerFault('banned');
    this.#layerDownload.askOf(peer);
  }

  /** The peer has told all that it has. */
  piecesDeclared(peer: Peer): void {
    this.#layerDownload.askOf(peer);
  }

  leave(peer: Peer): void {
    this.#answers.leave(peer);
    this.#layerDownload.leave(peer);
    this.#requests.leave(peer);
  }

  // All of them.

  blocksHashed(
    pieceIndex: number,
    blockHashes: Uint8Array | undefined,
    error: StorageError | undefined,
  ): void {
    this.#answers.blocksHashed(pieceIndex, blockHashes, error);
  }

  tick(): void {
    this.#requests.tick();
    this.#verdicts.tick();
    this.#layerDownload.tick();
  }

  /** Answers what can be answered, at the end of each turn. */
  pump(): void {
    this.#answers.pump();
  }

  /** When `pump` can go on by itself. */
  deadline(): number {
    return this.#answers.deadline();
  }

  #layerCame(rootHex: string, layer: Uint8Array): void {
    const { info, disk, observer } = this.#options;
    const pieces = this.layers
      .add(rootHex, layer)
      .flatMap((fileIndex) => info.geometry.filePieces(fileIndex) ?? []);
    for (const { first, last } of pieces) {
      for (let piece = first; piece <= last; piece += 1) {
        if (this.layers.isUnchecked(piece)) disk.verifyPiece(piece);
      }
    }
    this.#hashUnhashed();
    observer.layersCame(pieces);
  }

  #hashUnhashed(): void {
    const waiting: number[] = [];
    for (const pieceIndex of this.unhashed) {
      if (this.layers.isHashKnown(pieceIndex)) this.#options.download.savePiece(pieceIndex);
      else waiting.push(pieceIndex);
    }
    this.unhashed = waiting;
  }
}
