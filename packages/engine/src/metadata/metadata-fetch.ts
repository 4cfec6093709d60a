// Getting the info dictionary of a magnet link from peers (BEP 9): which piece of 16 KiB is asked of whom, and who has lied.
//
// Nothing can be verified before everything is there, so the art is to find out who sent the wrong part:
//
// - Peers that claim the same length put one dictionary together (an Assembly), as fast as they can. Other lengths are other
//   assemblies beside it.
// - When it is complete and wrong and all of it came from one peer, that one has lied. When it came from several, each goes on
//   alone with what it has sent and is asked for the rest; an assembly that one peer has completed alone proves what the peer
//   is. All others begin a new one together at once, so that a liar costs a round trip or two.
// - When one is right, everybody is measured by it: who has sent something else, or claimed another length, has lied.
//
// A piece that doesn't come soon is asked of another peer too; who refuses, or answers nothing at all, is left alone for a
// while. What a peer has sent goes with it when it leaves, so that nobody can spoil an assembly and be gone.

import { sameBytes } from '@bt/metainfo';
import { sha1 } from '@noble/hashes/legacy.js';
import { sha256 } from '@noble/hashes/sha2.js';
import {
  DEFAULT_MAX_METADATA_BYTES,
  LATE_METADATA_MS,
  MAX_LATER_METADATA_SOLOS,
  MAX_METADATA_BUFFER_BYTES,
  MAX_METADATA_REQUESTS,
  MAX_METADATA_SENDERS,
  MAX_METADATA_SOLOS,
  METADATA_REST_MS,
  METADATA_STALL_MS,
} from '../limits.ts';
import type { Moment } from '../moment.ts';
import { Assembly } from './assembly.ts';

export interface MetadataFetchOptions<Peer> {
  readonly moment: Moment;
  /** 20 bytes. One of the two at least; with both the dictionary has to match both. */
  readonly infoHashV1?: Uint8Array | undefined;
  /** 32 bytes. */
  readonly infoHashV2?: Uint8Array | undefined;
  /** A longer dictionary isn't fetched. At most the 16 MiB that the wire believes. */
  readonly maxBytes?: number | undefined;
  readonly observer: MetadataFetchObserver<Peer>;
}

/** Called from inside the calls below. It must not call back, except that a liar's connection may end (`peerGone`). */
export interface MetadataFetchObserver<Peer> {
  /** Ask this peer for this piece. */
  request(peer: Peer, pieceIndex: number): void;
  /** It has sent wrong bytes or claimed a wrong length, beyond doubt. */
  liarFound(peer: Peer): void;
  /** A peer says that the dictionary is longer than is taken. */
  tooLong(lengthBytes: number): void;
  /** One of the two info-hashes is that of a dictionary, the other isn't: there is none that has both. The fetch is over. */
  contradicted(): void;
  /** Verified. */
  complete(infoBytes: Uint8Array<ArrayBuffer>): void;
}

/** A peer that says it has the dictionary. */
interface Source<Peer> {
  readonly peer: Peer;
  readonly lengthBytes: number;
  /** What it is asked for, and since when. An answer may also come in a rest, or when it is in another assembly. */
  readonly asked: Map<number, number>;
  /** What it has refused since its last rest. */
  readonly refused: Set<number>;
  /** Absent: it waits for its turn. */
  assembly: Assembly<Source<Peer>> | undefined;
  /** It is not asked before this time; 0: it isn't resting. */
  restUntilMs: number;
  /** Rests since it sent something. */
  failures: number;
  /** When it answered last, or was asked while it owed no answer. */
  heardMs: number;
  /** Requests that it may have in flight; grows with each piece that comes. */
  pipeline: number;
}

const FIRST_REQUESTS = 2;

export class MetadataFetch<Peer> {
  /** When a piece came that was of use, or the fetch began. */
  lastUsefulMs: number;
  readonly #options: MetadataFetchOptions<Peer>;
  readonly #moment: Moment;
  readonly #maxBytes: number;
  readonly #sources = new Map<Peer, Source<Peer>>();
  /** The assemblies of several peers, by length. */
  readonly #shared = new Map<number, Assembly<Source<Peer>>>();
  /** Those of one peer each, which has to send everything itself. */
  readonly #solos = new Set<Assembly<Source<Peer>>>();
  /** Assemblies that were complete and wrong. */
  #wrongCount = 0;
  #isDone = false;

  constructor(options: MetadataFetchOptions<Peer>) {
    this.#options = options;
    this.#moment = options.moment;
    this.#maxBytes = options.maxBytes ?? DEFAULT_MAX_METADATA_BYTES;
    this.lastUsefulMs = options.moment.now;
  }

  /** How much there is, 0 to 1: of the assembly that has come farthest. */
  get share(): number {
    if (this.#isDone) return 1;
    const shares = this.#assemblies().map(({ receivedCount, pieceCount }) => {
      return receivedCount / pieceCount;
    });
    return Math.max(0, ...shares);
  }

  /** What all attempts together keep in memory. */
  get bufferedBytes(): number {
    return this.#assemblies().reduce((sum, assembly) => sum + assembly.bufferedBytes, 0);
  }

  /** The peer says that it has the dictionary. */
  isSource(peer: Peer): boolean {
    return this.#sources.has(peer);
  }

  /** A peer says that it has a dictionary of this length (`metadata_size`). */
  offered(peer: Peer, lengthBytes: number): void {
    if (this.#isDone) return;
    const known = this.#sources.get(peer);
    if (known !== undefined) {
      if (known.lengthBytes !== lengthBytes) this.#blame(known);
    } else if (lengthBytes > this.#maxBytes) {
      this.#options.observer.tooLong(lengthBytes);
    } else {
      this.#sources.set(peer, {
        peer,
        lengthBytes,
        asked: new Map(),
        refused: new Set(),
        assembly: undefined,
        restUntilMs: 0,
        failures: 0,
        heardMs: this.#moment.now,
        pipeline: FIRST_REQUESTS,
      });
      this.#askAll();
    }
  }

  /** A piece has come, of a dictionary of this length. The bytes are copied if they are of use. */
  received(peer: Peer, pieceIndex: number, lengthBytes: number, bytes: Uint8Array): void {
    const source = this.#sources.get(peer);
    // What nobody asked for costs its sender more than us.
    if (source?.asked.delete(pieceIndex) !== true) return;
    if (lengthBytes !== source.lengthBytes) {
      this.#blame(source);
      return;
    }
    source.heardMs = this.#moment.now;
    source.restUntilMs = 0;
    source.failures = 0;
    source.pipeline = Math.min(source.pipeline + 1, MAX_METADATA_REQUESTS);
    const { assembly } = source;
    if (assembly !== undefined && !assembly.has(pieceIndex)) {
      this.lastUsefulMs = this.#moment.now;
      this.#makeRoom(bytes.length);
      assembly.add(pieceIndex, bytes.slice(), source);
      if (assembly.isComplete) {
        this.#judge(assembly);
        return;
      }
    }
    this.#ask(source);
  }

  /** The peer won't send this piece. */
  rejected(peer: Peer, pieceIndex: number): void {
    const source = this.#sources.get(peer);
    if (source?.asked.delete(pieceIndex) !== true) return;
    source.heardMs = this.#moment.now;
    source.refused.add(pieceIndex);
    this.#ask(source);
    if (source.asked.size === 0) this.#rest(source);
    this.#askAll();
  }

  peerGone(peer: Peer): void {
    const source = this.#sources.get(peer);
    if (source === undefined) return;
    this.#forget(source);
    this.#askAll();
  }

  /** About once a second. */
  tick(): void {
    const { now } = this.#moment;
    for (const source of this.#sources.values()) {
      if (this.#isResting(source)) continue;
      if (source.restUntilMs !== 0) this.#beginAnew(source);
      else if (source.asked.size > 0 && now - source.heardMs >= METADATA_STALL_MS) {
        this.#rest(source);
      }
    }
    for (const assembly of this.#shared.values()) {
      if (this.#isLate(assembly)) this.#callIn(assembly);
    }
    this.#askAll();
  }

  // Who is asked.

  #assemblies(): Assembly<Source<Peer>>[] {
    return [...this.#shared.values(), ...this.#solos];
  }

  #isResting(source: Source<Peer>): boolean {
    return source.restUntilMs > this.#moment.now;
  }

  /** It isn't asked for a while. */
  #rest(source: Source<Peer>): void {
    source.restUntilMs = this.#moment.now + METADATA_REST_MS;
    source.failures += 1;
  }

  /** After a rest: what it has refused may be there, and if it was to send everything alone it is one of many again. */
  #beginAnew(source: Source<Peer>): void {
    source.restUntilMs = 0;
    source.asked.clear();
    source.refused.clear();
    source.pipeline = FIRST_REQUESTS;
    if (source.assembly !== undefined && this.#solos.has(source.assembly)) {
      this.#dismiss(source.assembly);
    }
  }

  #join(source: Source<Peer>, assembly: Assembly<Source<Peer>>): void {
    source.assembly = assembly;
    assembly.senders.add(source);
  }

  /** Puts those that wait into the assembly of their length while there is room, and asks everybody for what is missing. */
  #askAll(): void {
    for (const source of this.#sources.values()) {
      if (source.assembly === undefined) {
        const assembly = this.#sharedOf(source.lengthBytes);
        if (this.#activeSenders(assembly) < MAX_METADATA_SENDERS) this.#join(source, assembly);
      }
      this.#ask(source);
    }
  }

  #sharedOf(lengthBytes: number): Assembly<Source<Peer>> {
    let assembly = this.#shared.get(lengthBytes);
    if (assembly === undefined) {
      assembly = new Assembly(lengthBytes);
      this.#shared.set(lengthBytes, assembly);
    }
    return assembly;
  }

  #activeSenders(assembly: Assembly<Source<Peer>>): number {
    let count = 0;
    for (const source of assembly.senders) if (!this.#isResting(source)) count += 1;
    return count;
  }

  #isLate(assembly: Assembly<Source<Peer>>): boolean {
    let heardMs = 0;
    for (const source of assembly.senders) heardMs = Math.max(heardMs, source.heardMs);
    return this.#moment.now - heardMs >= LATE_METADATA_MS;
  }

  /** One of those that wait for their turn, though there is no room: those who are asked are slow. */
  #callIn(assembly: Assembly<Source<Peer>>): void {
    for (const source of this.#sources.values()) {
      if (source.assembly !== undefined || source.lengthBytes !== assembly.lengthBytes) continue;
      this.#join(source, assembly);
      return;
    }
  }

  /** Asks for as much as the source may have in flight. */
  #ask(source: Source<Peer>): void {
    const { assembly, asked } = source;
    if (assembly === undefined || this.#isResting(source)) return;
    while (asked.size < source.pipeline) {
      const pieceIndex = this.#choose(source, assembly);
      if (pieceIndex === undefined) return;
      if (asked.size === 0) source.heardMs = this.#moment.now;
      asked.set(pieceIndex, this.#moment.now);
      this.#options.observer.request(source.peer, pieceIndex);
    }
  }

  /**
   * The first piece that nobody is asked for, else one that is late: the one that was asked for longest ago. Of somebody who
   * has failed more often than this source it might as well not be asked.
   */
  #choose(source: Source<Peer>, assembly: Assembly<Source<Peer>>): number | undefined {
    const lastAskedMs = new Map<number, number>();
    for (const { asked, failures } of assembly.senders) {
      if (failures > source.failures) continue;
      for (const [pieceIndex, askedMs] of asked) {
        lastAskedMs.set(pieceIndex, Math.max(askedMs, lastAskedMs.get(pieceIndex) ?? 0));
      }
    }
    let late: number | undefined;
    let lateSinceMs = Number.POSITIVE_INFINITY;
    for (let piece = 0; piece < assembly.pieceCount; piece += 1) {
      if (assembly.has(piece) || source.asked.has(piece) || source.refused.has(piece)) continue;
      const askedMs = lastAskedMs.get(piece);
      if (askedMs === undefined) return piece;
      const isLate = this.#moment.now - askedMs >= LATE_METADATA_MS;
      if (!isLate || askedMs >= lateSinceMs) continue;
      late = piece;
      lateSinceMs = askedMs;
    }
    return late;
  }

  // Who has lied.

  /** An assembly is complete: the moment of truth. */
  #judge(assembly: Assembly<Source<Peer>>): void {
    const bytes = assembly.join();
    const { infoHashV1, infoHashV2 } = this.#options;
    const isV1 = infoHashV1 && sameBytes(sha1(bytes), infoHashV1);
    const isV2 = infoHashV2 && sameBytes(sha256(bytes), infoHashV2);
    if (isV1 !== false && isV2 !== false) this.#finish(bytes);
    // Nobody can make up what has one of the hashes: it is the link that is wrong.
    else if (isV1 === true || isV2 === true) this.#contradicted();
    else this.#suspect(assembly);
  }

  /** It is wrong. Whoever has sent a part is to send all of it; and so are more and more of those who wait. */
  #suspect(assembly: Assembly<Source<Peer>>): void {
    const { lengthBytes } = assembly;
    this.#dismiss(assembly);
    const maxSolos = Math.min(
      MAX_METADATA_SOLOS * 4 ** this.#wrongCount,
      Math.max(MAX_METADATA_SOLOS, Math.floor(MAX_METADATA_BUFFER_BYTES / (2 * lengthBytes))),
      MAX_LATER_METADATA_SOLOS,
    );
    this.#wrongCount += 1;
    const contributors = assembly.contributors();
    const [liar] = contributors;
    if (liar !== undefined && contributors.length === 1) {
      this.#forget(liar);
      this.#options.observer.liarFound(liar.peer);
    } else {
      // Further ones, if there are any, begin the next assembly together with those who have sent nothing.
      for (const source of contributors.slice(0, MAX_METADATA_SOLOS)) {
        this.#joinAlone(source, assembly.partOf(source));
      }
    }
    for (const source of this.#sources.values()) {
      if (this.#solos.size >= maxSolos) break;
      const isFree = source.assembly === undefined && !this.#isResting(source);
      if (!isFree || source.lengthBytes !== lengthBytes) continue;
      this.#joinAlone(source, new Assembly(lengthBytes));
    }
    this.#askAll();
  }

  #joinAlone(source: Source<Peer>, solo: Assembly<Source<Peer>>): void {
    this.#solos.add(solo);
    this.#join(source, solo);
    source.pipeline = MAX_METADATA_REQUESTS;
  }

  #contradicted(): void {
    this.#end();
    this.#options.observer.contradicted();
  }

  #finish(bytes: Uint8Array<ArrayBuffer>): void {
    const liars = new Set<Source<Peer>>();
    for (const source of this.#sources.values()) {
      if (source.lengthBytes !== bytes.length) liars.add(source);
    }
    for (const assembly of this.#assemblies()) {
      for (const liar of assembly.liars(bytes)) liars.add(liar);
    }
    this.#end();
    this.#options.observer.complete(bytes);
    for (const { peer } of liars) this.#options.observer.liarFound(peer);
  }

  #end(): void {
    this.#isDone = true;
    this.#sources.clear();
    this.#shared.clear();
    this.#solos.clear();
  }

  #blame(source: Source<Peer>): void {
    this.#forget(source);
    this.#options.observer.liarFound(source.peer);
    this.#askAll();
  }

  #forget(source: Source<Peer>): void {
    this.#sources.delete(source.peer);
    const { assembly } = source;
    if (assembly === undefined) return;
    assembly.remove(source);
    if (assembly.senders.size === 0) this.#dismiss(assembly);
  }

  #dismiss(assembly: Assembly<Source<Peer>>): void {
    for (const source of assembly.senders) source.assembly = undefined;
    if (!this.#solos.delete(assembly)) this.#shared.delete(assembly.lengthBytes);
  }

  /** At the bound the largest one starts over: it takes strangers who claim many lengths to come that far. */
  #makeRoom(lengthBytes: number): void {
    if (this.bufferedBytes + lengthBytes <= MAX_METADATA_BUFFER_BYTES) return;
    this.#assemblies()
      .reduce((a, b) => (b.bufferedBytes > a.bufferedBytes ? b : a))
      .clear();
  }
}
