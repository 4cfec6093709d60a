// Which blocks of a failed piece are wrong (BEP 52). Peers that have the piece are asked for the hashes of its blocks, which
// prove themselves against the piece's own hash; the blocks that differ name their senders at once, and the others needn't be
// downloaded again. Who refuses is asked for one block first: BEP 52 forbids to refuse the hashes of what one has just sent, and
// libtorrent knows them only then. Without an answer everything is left to blame.ts, which waits until the piece has passed.

import {
  climbProof,
  expectedMerklePiece,
  type HashRange,
  type Info,
  MERKLE_HASH_LENGTH,
  merkleRoot,
  sameBytes,
} from '@bt/metainfo';
import type { Picker } from '@bt/picker';
import type { BlockJudge, FailedPiece, Trial } from '../failed-piece.ts';
import {
  BLOCK_HASHES_TIMEOUT_MS,
  BLOCK_VERDICT_MS,
  HASHES_PER_REQUEST,
  MAX_KNOWN_LEAVES,
  MAX_PIECES_ON_TRIAL,
} from '../limits.ts';
import type { Moment } from '../moment.ts';
import type { Identity, Peer } from '../peer.ts';
import type { Peers } from '../swarm/peers.ts';
import type { HashRequests } from './hash-requests.ts';
import type { PieceLayers } from './piece-layers.ts';

export interface BlockVerdictsOptions {
  readonly moment: Moment;
  readonly info: Info;
  readonly layers: PieceLayers;
  readonly requests: HashRequests;
  readonly peers: Peers;
  readonly picker: Picker;
  /** Asks for the first block of a piece, though it is there: false when the peer can't be asked. */
  readonly probe: (peer: Peer, pieceIndex: number) => boolean;
  /** The blocks' hashes as they should be, 32 bytes each; undefined when nobody tells them. */
  readonly judged: (failed: FailedPiece, leaves: Uint8Array | undefined) => void;
  /** Sent hashes that don't lead to the piece's. */
  readonly liarFound: (identity: Identity) => void;
}

/** A piece in the tree of its file. */
interface Place {
  readonly root: Uint8Array;
  /** The piece's own hash: the root of `leafCount` leaves, a power of two. */
  readonly hash: Uint8Array;
  readonly leafCount: number;
  readonly indexInFile: number;
}

interface OpenTrial {
  readonly failed: FailedPiece;
  readonly place: Place;
  readonly untilMs: number;
  readonly leaves: Uint8Array;
  /** Leaves that there are: they are asked for from the first on. */
  leavesCome: number;
  readonly asked: Set<Peer>;
  /** Those of them that have refused or said nothing, and may be asked for a block first. */
  readonly refused: Set<Peer>;
  readonly probed: Set<Peer>;
  /** A block is awaited, to ask its sender for the hashes again. */
  probe: { readonly peer: Peer; readonly untilMs: number } | undefined;
  /** An answer is awaited. */
  isAsking: boolean;
  /** How long somebody is waited for who may tell soon; undefined while somebody has been asked. */
  waitUntilMs: number | undefined;
}

/** Of a piece of fewer blocks one more is too much of it to download again. */
const MIN_PROBED_BLOCKS = 4;

export class BlockVerdicts implements BlockJudge {
  readonly #options: BlockVerdictsOptions;
  readonly #trials = new Map<number, OpenTrial>();
  /** Of pieces that have failed and not passed since. */
  readonly #known = new Map<number, Uint8Array>();
  #knownCount = 0;

  constructor(options: BlockVerdictsOptions) {
    this.#options = options;
  }

  get isOpen(): boolean {
    const { info } = this.#options;
    return info.infoHashV2 !== undefined && this.#trials.size < MAX_PIECES_ON_TRIAL;
  }

  open(failed: FailedPiece): Trial {
    const { pieceIndex, blockHashes } = failed;
    const place = this.#placeOf(pieceIndex);
    if (place === undefined || blockHashes === undefined) return 'none';
    if (this.#addsUp(blockHashes, place)) return 'contradiction';
    const known = place.leafCount === 1 ? place.hash : this.#known.get(pieceIndex);
    if (known !== undefined) {
      this.#options.judged(failed, known);
      return 'open';
    }
    if (!this.isOpen) return 'none';
    const trial: OpenTrial = {
      failed,
      place,
      untilMs: this.#options.moment.now + BLOCK_VERDICT_MS,
      leaves: new Uint8Array(place.leafCount * MERKLE_HASH_LENGTH),
      leavesCome: 0,
      asked: new Set(),
      refused: new Set(),
      probed: new Set(),
      probe: undefined,
      isAsking: false,
      waitUntilMs: undefined,
    };
    if (!this.#goOn(trial) && !this.#waits(trial)) return 'none';
    this.#trials.set(pieceIndex, trial);
    return 'open';
  }

  passed(pieceIndex: number): void {
    const known = this.#known.get(pieceIndex);
    if (known === undefined) return;
    this.#known.delete(pieceIndex);
    this.#knownCount -= known.length / MERKLE_HASH_LENGTH;
  }

  blockCame(peer: Peer, pieceIndex: number): void {
    const trial = this.#trials.get(pieceIndex);
    if (trial?.probe?.peer !== peer) return;
    trial.probe = undefined;
    if (this.#options.requests.canAsk(peer)) this.#ask(trial, peer);
    else if (!this.#goOn(trial) && !this.#waits(trial)) this.#close(trial, undefined);
  }

  /** Ends what has taken too long, about once a second. */
  tick(): void {
    const { now } = this.#options.moment;
    for (const trial of [...this.#trials.values()]) {
      const { probe } = trial;
      if (probe !== undefined && (now >= probe.untilMs || probe.peer.isClosed)) {
        trial.probe = undefined;
      }
      const isIdle = trial.probe === undefined && !trial.isAsking;
      const isOver = isIdle && !this.#goOn(trial) && !this.#waits(trial);
      if (isOver || now >= trial.untilMs) this.#close(trial, undefined);
    }
  }

  /** The torrent stops. */
  close(): void {
    for (const trial of [...this.#trials.values()]) this.#close(trial, undefined);
  }

  #close(trial: OpenTrial, leaves: Uint8Array | undefined): void {
    const { pieceIndex } = trial.failed;
    this.#trials.delete(pieceIndex);
    if (leaves !== undefined) this.#remember(pieceIndex, leaves);
    this.#options.judged(trial.failed, leaves);
  }

  #remember(pieceIndex: number, leaves: Uint8Array): void {
    const count = leaves.length / MERKLE_HASH_LENGTH;
    for (const [oldest] of this.#known) {
      if (this.#knownCount + count <= MAX_KNOWN_LEAVES) break;
      this.passed(oldest);
    }
    if (count > MAX_KNOWN_LEAVES) return;
    this.#known.set(pieceIndex, leaves);
    this.#knownCount += count;
  }

  /** Asks somebody who has the piece and wasn't asked, or makes one tell who has refused. False when there is nobody. */
  #goOn(trial: OpenTrial): boolean {
    const peer = this.#choosePeer(trial);
    if (peer !== undefined) {
      trial.asked.add(peer);
      this.#ask(trial, peer);
      return true;
    }
    const { moment, requests, probe } = this.#options;
    if (trial.place.leafCount < MIN_PROBED_BLOCKS) return false;
    for (const refused of trial.refused) {
      if (!requests.canAsk(refused) || !probe(refused, trial.failed.pieceIndex)) continue;
      trial.refused.delete(refused);
      trial.probed.add(refused);
      trial.probe = { peer: refused, untilMs: moment.now + BLOCK_HASHES_TIMEOUT_MS };
      return true;
    }
    return false;
  }

  /**
   * Nobody can be asked now, but somebody may be soon: a connection that has just begun, or one that chokes us. Who hasn't
   * become able in a few seconds is waited for no more.
   */
  #waits(trial: OpenTrial): boolean {
    const { now } = this.#options.moment;
    trial.waitUntilMs ??= now + BLOCK_HASHES_TIMEOUT_MS;
    if (now >= trial.waitUntilMs) return false;
    for (const peer of this.#options.peers) {
      if (peer.isClosed || peer.identity.isBanned) continue;
      if (!peer.isReady || trial.refused.has(peer)) return true;
      if (peer.session.features.v2 && !trial.asked.has(peer)) return true;
    }
    return false;
  }

  #ask(trial: OpenTrial, peer: Peer): void {
    const { place } = trial;
    trial.isAsking = true;
    trial.waitUntilMs = undefined;
    const range = rangeOf(place, trial.leavesCome);
    const request = { ...range, piecesRoot: place.root };
    this.#options.requests.ask(peer, request, BLOCK_HASHES_TIMEOUT_MS, (hashes) => {
      trial.isAsking = false;
      if (this.#trials.get(trial.failed.pieceIndex) !== trial) return;
      const isRight = hashes !== undefined && this.#accept(trial, range, hashes);
      if (isRight && trial.leavesCome === place.leafCount) {
        this.#close(trial, trial.leaves);
      } else if (isRight && this.#options.requests.canAsk(peer)) {
        this.#ask(trial, peer);
      } else {
        if (hashes === undefined && !trial.probed.has(peer)) trial.refused.add(peer);
        if (!this.#goOn(trial) && !this.#waits(trial)) this.#close(trial, undefined);
        if (hashes !== undefined && !isRight) this.#options.liarFound(peer.identity);
      }
    });
  }

  #accept(trial: OpenTrial, range: HashRange, hashes: Uint8Array): boolean {
    const { place, leaves } = trial;
    const node = climbProof(range, hashes);
    if (node?.index !== place.indexInFile || !sameBytes(node.hash, place.hash)) return false;
    const wanted = hashes.subarray(0, range.length * MERKLE_HASH_LENGTH);
    leaves.set(wanted, trial.leavesCome * MERKLE_HASH_LENGTH);
    trial.leavesCome += range.length;
    return true;
  }

  /** Rather one that hasn't sent any of the piece. */
  #choosePeer({ failed, asked }: OpenTrial): Peer | undefined {
    const { peers, picker, requests } = this.#options;
    let second: Peer | undefined;
    for (const peer of peers) {
      if (asked.has(peer) || peer.identity.isBanned || !requests.canAsk(peer)) continue;
      if (!picker.peerHas(peer.handle, failed.pieceIndex)) continue;
      if (!failed.senders.includes(peer.identity)) return peer;
      second ??= peer;
    }
    return second;
  }

  #placeOf(pieceIndex: number): Place | undefined {
    const { info, layers } = this.#options;
    const { geometry, files } = info;
    const expected = expectedMerklePiece(info, layers.byRoot, pieceIndex);
    const fileIndex = geometry.fileAt(pieceIndex, 0);
    const root = files.piecesRootOf(fileIndex);
    if (expected === undefined || root === undefined) return undefined;
    const indexInFile = pieceIndex - geometry.fileStart(fileIndex).pieceIndex;
    return { root, hash: expected.hash, leafCount: expected.leafCount, indexInFile };
  }

  /** By these hashes the piece is right: the two halves of a hybrid torrent contradict each other, and nobody has lied. */
  #addsUp(blockHashes: Uint8Array, { hash, leafCount }: Place): boolean {
    const leaves = blockHashes.subarray(0, leafCount * MERKLE_HASH_LENGTH);
    return sameBytes(merkleRoot(leaves, { width: leafCount }), hash);
  }
}

/** Leaves from `first` on, with the uncles up to the piece's hash where one request is not enough for all. */
function rangeOf({ leafCount, indexInFile }: Place, first: number): HashRange {
  const length = Math.min(leafCount, HASHES_PER_REQUEST);
  const proofLayers = length < leafCount ? Math.log2(leafCount) - 1 : 0;
  return { baseLayer: 0, index: indexInFile * leafCount + first, length, proofLayers };
}
