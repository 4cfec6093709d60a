// Peers that have an info dictionary, or say so, on virtual time: for MetadataFetch, without connections.

import { createHash } from 'node:crypto';
import { createRandom, VirtualClock } from '@bt/simulator';
import { METADATA_PIECE_LENGTH, metadataPieceCount, metadataPieceLength } from '@bt/wire';
import { MetadataFetch, type MetadataFetchOptions } from '../../src/metadata/metadata-fetch.ts';

/** What a peer does when it is asked for a piece. */
export type Answer = 'right' | 'wrong' | 'reject' | 'nothing' | 'leave' | 'other-length';

export interface Behaviour {
  readonly latencyMs?: number;
  /** What it claims; default: the truth. */
  readonly lengthBytes?: number;
  readonly answer?: (pieceIndex: number, askedBefore: number) => Answer;
}

export interface MetadataPeer extends Behaviour {
  readonly name: string;
  asked: number[];
  answered: number;
}

export class MetadataPeers {
  readonly clock = new VirtualClock();
  readonly moment = { now: 0 };
  readonly infoBytes: Uint8Array;
  readonly fetch: MetadataFetch<MetadataPeer>;
  readonly liars: string[] = [];
  readonly tooLong: number[] = [];
  contradictions = 0;
  result: Uint8Array | undefined;
  doneMs: number | undefined;
  readonly #connected = new Set<MetadataPeer>();

  constructor(
    lengthBytes: number,
    options: Partial<MetadataFetchOptions<MetadataPeer>> & { readonly seed?: number } = {},
  ) {
    const random = createRandom(options.seed ?? 1);
    this.infoBytes = Uint8Array.from({ length: lengthBytes }, () => random() * 256);
    this.fetch = new MetadataFetch<MetadataPeer>({
      moment: this.moment,
      infoHashV1: createHash('sha1').update(this.infoBytes).digest(),
      ...options,
      observer: {
        request: (peer, pieceIndex) => this.#asked(peer, pieceIndex),
        liarFound: (peer) => {
          this.liars.push(peer.name);
          this.leave(peer);
        },
        tooLong: (length) => void this.tooLong.push(length),
        contradicted: () => {
          this.contradictions += 1;
        },
        complete: (bytes) => {
          this.result = bytes;
          this.doneMs = this.clock.now;
        },
      },
    });
    this.#tick();
  }

  get pieceCount(): number {
    return metadataPieceCount(this.infoBytes.length);
  }

  /** A peer that connects now. */
  join(name: string, behaviour: Behaviour = {}): MetadataPeer {
    const peer: MetadataPeer = { ...behaviour, name, asked: [], answered: 0 };
    this.#connected.add(peer);
    this.act(() => this.fetch.offered(peer, behaviour.lengthBytes ?? this.infoBytes.length));
    return peer;
  }

  leave(peer: MetadataPeer): void {
    if (!this.#connected.delete(peer)) return;
    this.act(() => this.fetch.peerGone(peer));
  }

  act(call: () => void): void {
    this.moment.now = this.clock.now;
    call();
  }

  /** Runs until the dictionary is there; the time since now, or undefined. */
  run(limitMs: number): number | undefined {
    const start = this.clock.now;
    this.clock.runWhile(() => this.doneMs === undefined, start + limitMs);
    return this.doneMs === undefined ? undefined : this.doneMs - start;
  }

  #tick(): void {
    this.clock.after(1_000, () => {
      this.act(() => this.fetch.tick());
      this.#tick();
    });
  }

  #asked(peer: MetadataPeer, pieceIndex: number): void {
    const answer = peer.answer?.(pieceIndex, peer.asked.length) ?? 'right';
    peer.asked.push(pieceIndex);
    this.clock.after(peer.latencyMs ?? 50, () => {
      if (!this.#connected.has(peer)) return;
      peer.answered += 1;
      if (answer === 'leave') this.leave(peer);
      else this.act(() => this.#answer(peer, pieceIndex, answer));
    });
  }

  #answer(peer: MetadataPeer, pieceIndex: number, answer: Answer): void {
    if (answer === 'reject') this.fetch.rejected(peer, pieceIndex);
    if (answer === 'reject' || answer === 'nothing' || answer === 'leave') return;
    const claimed = peer.lengthBytes ?? this.infoBytes.length;
    const bytes = new Uint8Array(metadataPieceLength(pieceIndex, claimed));
    const start = pieceIndex * METADATA_PIECE_LENGTH;
    bytes.set(this.infoBytes.subarray(start, start + bytes.length));
    if (answer === 'wrong') bytes[pieceIndex % bytes.length]! ^= 0xff;
    const length = answer === 'other-length' ? claimed + 1 : claimed;
    this.fetch.received(peer, pieceIndex, length, bytes);
    // The wire uses its buffer again.
    bytes.fill(0);
  }
}
