// Spreading a torrent from one seed with a limited upload: each piece is sent once, to one peer, and the peers give it to
// each other. Peers choose the same rare pieces at the same time, and then a seed sends them twice and more. So the seed
// shows each peer only what that peer is to fetch (BEP 16, super seeding), with these differences: enough pieces are
// shown ahead to keep the peer's pipeline full, nobody is made to wait for another peer's confirmation, and as soon as
// there is upload to spare everything is shown; so it is to a peer that is alone, or that wants something else than what it
// was shown, such as a stream or a few files. It ends when the connected peers have every piece among them.

import type { Geometry } from '@bt/metainfo';
import type { Picker } from '@bt/picker';
import type { Moment } from './moment.ts';
import type { Peer } from './peer.ts';
import type { Peers } from './swarm/peers.ts';
import type { Upload } from './upload.ts';

/** Shown ahead: what the peer takes in this time, and two pieces. */
const AHEAD_SECONDS = 1;
const AHEAD_PIECES = 2;
/** Upload that nobody has asked for in this time is to spare. */
const SPARE_AFTER_MS = 1_500;
/** A peer that has been alone this long, or has wanted nothing of what it was shown, is shown everything ... */
const PATIENCE_MS = 1_000;
/** ... so many pieces at a time. */
const ALL_STEP_PIECES = 8_192;
/** Peers to whom spare pieces are shown in one go: each costs a walk over all pieces. */
const SPARE_PEERS = 16;
/** Pieces looked at in one update for one that nobody has: larger torrents take several updates to go round. */
const RARE_WALK_PIECES = 8_192;

export interface SuperSeedOptions {
  readonly moment: Moment;
  readonly geometry: Geometry;
  readonly picker: Picker;
  readonly peers: Peers;
  readonly upload: Upload;
  readonly random: () => number;
}

export class SuperSeed {
  /** New peers are to be steered: the connected ones lack pieces. */
  isActive = true;
  readonly #moment: Moment;
  readonly #geometry: Geometry;
  readonly #picker: Picker;
  readonly #peers: Peers;
  readonly #upload: Upload;
  /** Pieces in random order, those not shown to anybody from `#nextFresh` on. */
  readonly #order: Uint32Array;
  #nextFresh = 0;
  /** Of peers that left with them: to be shown again first. */
  #returned: number[] = [];
  readonly #shown = new Map<Peer, Shown>();
  #busyMs: number;
  #sparePieces = AHEAD_PIECES;
  /** Where the search for a piece that nobody has stands, and how many before it somebody has. */
  #rareAt = 0;
  #spreadBefore = 0;

  constructor(options: SuperSeedOptions) {
    this.#moment = options.moment;
    this.#geometry = options.geometry;
    this.#picker = options.picker;
    this.#peers = options.peers;
    this.#upload = options.upload;
    this.#busyMs = options.moment.now;
    this.#order = shuffledPieces(options.geometry.pieceCount, options.random);
  }

  /** A peer that has been told that we have nothing. */
  peerAdded(peer: Peer): void {
    this.#shown.set(peer, { pieces: new Set(), open: new Set() });
    this.#show(peer, 1);
  }

  peerGone(peer: Peer): void {
    for (const piece of this.#shown.get(peer)?.open ?? []) {
      if (this.#picker.availability(piece) === 0) this.#returned.push(piece);
    }
    this.#shown.delete(peer);
  }

  /** The peer has got a piece, from us or from somebody else. */
  peerHas(peer: Peer, pieceIndex: number): void {
    if (this.#shown.get(peer)?.open.delete(pieceIndex)) this.#fill(peer);
  }

  /** The peer has told what it has. */
  peerDeclared(peer: Peer): void {
    const shown = this.#shown.get(peer);
    if (shown === undefined) return;
    for (const piece of shown.open) {
      if (this.#picker.peerHas(peer.handle, piece)) shown.open.delete(piece);
    }
    this.#fill(peer);
  }

  /** Every peer that we serve is shown enough. About once a second, and when slots were given anew. */
  update(): void {
    const { now } = this.#moment;
    if (this.#upload.isBusy) this.#busyMs = now;
    for (const [peer, { open }] of this.#shown) {
      if (open.size > 0 && this.#isSteeredInVain(peer)) this.#showAll(peer);
      else this.#fill(peer);
    }
    if (now - this.#busyMs >= SPARE_AFTER_MS) this.#showSpare();
    this.#updateActive();
  }

  /** Active from where a piece is found that nobody has, until the search has come round without one. */
  #updateActive(): void {
    const { pieceCount } = this.#geometry;
    for (let step = Math.min(pieceCount, RARE_WALK_PIECES); step > 0; step -= 1) {
      if (this.#picker.availability(this.#rareAt) === 0) {
        this.#spreadBefore = 0;
        this.isActive = true;
        return;
      }
      this.#rareAt = (this.#rareAt + 1) % pieceCount;
      this.#spreadBefore += 1;
      if (this.#spreadBefore < pieceCount) continue;
      this.#spreadBefore = 0;
      this.isActive = false;
      return;
    }
  }

  /** There is nobody whom it could get the rest from, or it doesn't want what it is to give to others. */
  #isSteeredInVain(peer: Peer): boolean {
    const sinceMs = this.#peers.size === 1 ? peer.connectedMs : peer.uselessSinceMs;
    return !peer.isUploadOnly && this.#moment.now - sinceMs >= PATIENCE_MS;
  }

  #showAll(peer: Peer): void {
    let count = ALL_STEP_PIECES;
    for (const piece of this.#order) {
      if (this.#knows(peer, piece)) continue;
      if (count === 0) return;
      this.#tell(peer, piece);
      count -= 1;
    }
    this.#shown.delete(peer);
  }

  #fill(peer: Peer): void {
    const shown = this.#shown.get(peer);
    if (shown === undefined) return;
    const rate = peer.session.amChoking ? 0 : peer.up.recentRate(this.#moment.now, 2);
    const ahead = Math.ceil((rate * AHEAD_SECONDS) / this.#geometry.pieceLength);
    const wanted = peer.session.amChoking ? 1 : AHEAD_PIECES + ahead;
    this.#show(peer, wanted - shown.open.size);
  }

  #show(peer: Peer, count: number): void {
    for (let i = 0; i < count; i += 1) {
      const piece = this.#takeFresh(peer);
      if (piece === undefined) return;
      this.#tell(peer, piece);
    }
  }

  /** The next piece that nobody was shown, or whose only taker has gone. */
  #takeFresh(peer: Peer): number | undefined {
    const returned = this.#returned.findIndex((piece) => !this.#knows(peer, piece));
    if (returned >= 0) return this.#returned.splice(returned, 1)[0];
    while (this.#nextFresh < this.#order.length) {
      const piece = this.#order[this.#nextFresh]!;
      this.#nextFresh += 1;
      // Somebody has it from an earlier life: no need to send it once more.
      if (this.#picker.availability(piece) === 0) return piece;
    }
    return undefined;
  }

  /**
   * There is upload to spare: peers are shown the rarest pieces they lack, twice as many each time, since peers that
   * don't give to each other have to get everything here.
   */
  #showSpare(): void {
    const takers: [Peer, Shown][] = [];
    for (const entry of this.#shown) {
      const { amChoking, peerInterested } = entry[0].session;
      if (amChoking && peerInterested) continue;
      takers.push(entry);
      if (takers.length === SPARE_PEERS) break;
    }
    if (takers.length === 0) return;
    this.#sparePieces = Math.min(2 * this.#sparePieces, this.#geometry.pieceCount);
    const byRarity = this.#byRarity();
    for (const [peer, shown] of takers) {
      let count = this.#sparePieces;
      for (const piece of byRarity) {
        if (this.#knows(peer, piece)) continue;
        this.#tell(peer, piece);
        count -= 1;
        if (count === 0) break;
      }
      // To the end of the line, so that everybody has a turn; who was shown everything is done with.
      this.#shown.delete(peer);
      if (count === 0) this.#shown.set(peer, shown);
    }
  }

  /** A counting sort: the order within equal availability stays random. */
  #byRarity(): Uint32Array {
    const ends: number[] = [];
    for (const piece of this.#order) {
      const peers = this.#picker.availability(piece);
      while (ends.length <= peers) ends.push(0);
      ends[peers]! += 1;
    }
    for (let peers = 1; peers < ends.length; peers += 1) ends[peers]! += ends[peers - 1]!;
    const sorted = new Uint32Array(this.#order.length);
    for (let index = this.#order.length - 1; index >= 0; index -= 1) {
      const piece = this.#order[index]!;
      const peers = this.#picker.availability(piece);
      ends[peers]! -= 1;
      sorted[ends[peers]!] = piece;
    }
    return sorted;
  }

  #tell(peer: Peer, piece: number): void {
    const shown = this.#shown.get(peer)!;
    shown.pieces.add(piece);
    shown.open.add(piece);
    peer.session.have(piece);
    this.#peers.markDirty(peer);
  }

  #knows(peer: Peer, piece: number): boolean {
    return this.#shown.get(peer)!.pieces.has(piece) || this.#picker.peerHas(peer.handle, piece);
  }
}

interface Shown {
  /** Everything we have said that we have. */
  readonly pieces: Set<number>;
  /** Of these, what the peer hasn't got yet. */
  readonly open: Set<number>;
}

function shuffledPieces(count: number, random: () => number): Uint32Array {
  const pieces = new Uint32Array(count);
  for (let piece = 0; piece < count; piece += 1) pieces[piece] = piece;
  for (let i = count - 1; i > 0; i -= 1) {
    const j = Math.floor(random() * (i + 1));
    const swap = pieces[i]!;
    pieces[i] = pieces[j]!;
    pieces[j] = swap;
  }
  return pieces;
}
