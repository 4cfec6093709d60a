// The way into the network (BEP 5 "Routing Table"): a search for our own id, beginning at entrances and saved nodes, then one in
// each part of the table that has room. As long as hardly anybody is known it is tried again, and so it is when a table that was
// full has lost its nodes.
import { JOIN_NEWCOMER_MS, JOIN_RETRY_MS, MAX_JOIN_NODES, MAX_JOIN_RETRY_MS } from './constants.ts';
import type { Entrance } from './lookup.ts';
import { equalIds } from './node-id.ts';
import type { Overlay, Overlays } from './overlay.ts';
import type { Querier } from './querier.ts';
import { Search } from './search.ts';

export interface JoinOptions {
  readonly querier: Querier;
  readonly overlays: Overlays;
  readonly random: () => number;
  readonly count: number;
  readonly concurrency: number;
  /** The search for our own id has ended; nobody may have answered it. */
  readonly onEnd: (now: number, hasJoined: boolean) => void;
}

export class Join {
  /** Whether the search for our own id is under way. */
  isJoining = false;
  readonly #options: JoinOptions;
  readonly #entrances: { readonly overlay: Overlay; readonly entrance: Entrance }[] = [];
  #search: Search | undefined;
  /** Overlays whose buckets are being filled, and the bucket that is next; first of all it may be our own surroundings. */
  #toFill: { readonly overlay: Overlay; bucket: number | 'own' }[] = [];
  #retryAt = Number.POSITIVE_INFINITY;
  #retryMs = JOIN_RETRY_MS;
  #hasBegun = false;
  #endedAt = Number.NEGATIVE_INFINITY;

  constructor(options: JoinOptions) {
    this.#options = options;
  }

  /** Whether hardly anybody is known and this is about to change: whatever is begun now had better wait. */
  get isEntering(): boolean {
    return this.isJoining && this.#overlays().every((overlay) => this.#isLonely(overlay));
  }

  /** Remembers an entrance, and asks it when a join is under way that hardly knows anybody. */
  addEntrance(now: number, overlay: Overlay, entrance: Entrance): void {
    if (this.#entrances.length >= MAX_JOIN_NODES) return;
    this.#entrances.push({ overlay, entrance });
    if (this.isJoining && this.#isLonely(overlay))
      this.#search?.addEntrance(now, overlay, entrance);
  }

  /** Tries it now, if nobody is known, somebody can be asked and the last try was long enough ago. True when it is under way. */
  enterWhenEmpty(now: number): boolean {
    if (!this.#hasBegun || this.#overlays().some(({ table }) => table.size > 0)) return false;
    if (this.#entrances.length === 0 || now < this.#endedAt + JOIN_RETRY_MS) return false;
    if (!this.isJoining) this.start(now);
    return this.isJoining;
  }

  /** Begins if that has not been done, or if hardly anybody is known. */
  begin(now: number): void {
    if (this.isJoining) return;
    if (!this.#hasBegun || this.#overlays().some((overlay) => this.#isLonely(overlay)))
      this.start(now);
  }

  /** Begins, or begins anew. */
  start(now: number): void {
    this.#search?.stop();
    this.#toFill = [];
    this.#hasBegun = true;
    this.isJoining = true;
    this.#retryAt = Number.POSITIVE_INFINITY;
    const { ipv4, ipv6 } = this.#options.overlays;
    const id = (ipv4 ?? ipv6)!.id;
    this.#run(now, this.#options.overlays, id, (end, answers) =>
      this.#handleJoined(end, id, answers),
    );
  }

  /** There is a node more by which to enter: a join that waits for its next try goes on soon. */
  handleNewcomer(now: number): void {
    if (this.#retryAt < Number.POSITIVE_INFINITY) {
      this.#retryAt = Math.min(this.#retryAt, now + JOIN_NEWCOMER_MS);
    }
  }

  handleTimeout(now: number): void {
    if (now >= this.#retryAt) this.start(now);
    else if (this.#hasBegun && !this.isJoining && this.#retryAt === Number.POSITIVE_INFINITY) {
      this.#retryWhenLonely(now);
    }
  }

  deadline(): number {
    return this.#retryAt;
  }

  #handleJoined(now: number, target: Uint8Array, answers: number): void {
    this.isJoining = false;
    this.#endedAt = now;
    const overlays = this.#overlays();
    // Whoever we entered by may have been new himself and known nobody.
    if (!this.#retryWhenLonely(now)) this.#retryMs = JOIN_RETRY_MS;
    if (answers > 0) {
      for (const overlay of overlays) {
        const bucket = equalIds(overlay.id, 0, target, 0) ? 0 : 'own';
        this.#toFill.push({ overlay, bucket });
      }
    }
    this.#options.onEnd(now, answers > 0);
    this.#fillNext(now);
  }

  #overlays(): Overlay[] {
    const { ipv4, ipv6 } = this.#options.overlays;
    return [ipv4, ipv6].filter((overlay) => overlay !== undefined);
  }

  #isLonely({ table }: Overlay): boolean {
    return table.size < this.#options.count;
  }

  #retryWhenLonely(now: number): boolean {
    if (!this.#overlays().some((overlay) => this.#isLonely(overlay))) return false;
    this.#retryAt = now + this.#retryMs;
    this.#retryMs = Math.min(2 * this.#retryMs, MAX_JOIN_RETRY_MS);
    return true;
  }

  /** Searches in the buckets with room, from the farthest on: what it finds splits the last one further. */
  #fillNext(now: number): void {
    for (;;) {
      const next = this.#toFill[0];
      if (next === undefined) return;
      const { overlay, bucket } = next;
      if (bucket === 'own') {
        next.bucket = 0;
        this.#run(now, only(overlay), overlay.id, (end) => this.#fillNext(end));
        return;
      }
      next.bucket = bucket + 1;
      const { bucketCount } = overlay.table;
      if (bucket >= bucketCount) this.#toFill.shift();
      else if (bucket === bucketCount - 1 || overlay.table.hasRoom(bucket)) {
        overlay.table.handleRefresh(now, bucket);
        const target = overlay.table.randomIdIn(bucket, this.#options.random);
        this.#run(now, only(overlay), target, (end) => this.#fillNext(end));
        return;
      }
    }
  }

  #run(
    now: number,
    overlays: Overlays,
    target: Uint8Array,
    onEnd: (now: number, answers: number) => void,
  ): void {
    const { querier, count, concurrency } = this.#options;
    const search: Search = new Search({
      ...{ querier, overlays, target, count, concurrency, method: 'find_node' },
      owner: {
        onEnd: (end) => {
          this.#search = undefined;
          onEnd(end, search.cost().answers);
        },
      },
    });
    this.#search = search;
    search.start(now, (overlay) =>
      !this.#isLonely(overlay)
        ? []
        : this.#entrances.filter((e) => e.overlay === overlay).map((e) => e.entrance),
    );
  }
}

function only(overlay: Overlay): Overlays {
  return overlay.family === 4
    ? { ipv4: overlay, ipv6: undefined }
    : { ipv4: undefined, ipv6: overlay };
}
