// Keeps the tables alive (BEP 5 "Routing Table"): pings nodes that have become questionable, one at a time, and searches in
// buckets with room in which nothing has changed for 15 minutes.
import { LINE_QUIET_MS, MAINTENANCE_SPACING_MS } from './constants.ts';
import type { Overlay } from './overlay.ts';
import type { Querier } from './querier.ts';
import { Search } from './search.ts';
import type { QueryListener } from './transactions.ts';

export interface MaintenanceOptions {
  readonly querier: Querier;
  readonly overlays: readonly Overlay[];
  readonly random: () => number;
  readonly count: number;
  readonly concurrency: number;
}

export class Maintenance implements QueryListener {
  readonly #options: MaintenanceOptions;
  #refreshing: Search | undefined;
  #restUntil = 0;

  constructor(options: MaintenanceOptions) {
    this.#options = options;
  }

  handleTimeout(now: number): void {
    if (now < this.deadline()) return;
    for (const overlay of this.#options.overlays) {
      if (overlay.table.dueAt > now) continue;
      const hasPinged = this.#pingQuestionable(now, overlay);
      const refreshes = this.#refresh(now, overlay);
      if (!hasPinged && !refreshes) overlay.table.updateDueAt();
    }
    const isUp = this.#options.querier.hasHeard(now);
    this.#restUntil = now + (isUp ? MAINTENANCE_SPACING_MS : LINE_QUIET_MS);
  }

  deadline(): number {
    let dueAt = Number.POSITIVE_INFINITY;
    for (const { table } of this.#options.overlays) dueAt = Math.min(dueAt, table.dueAt);
    return Math.max(dueAt, this.#restUntil);
  }

  onAnswer(): void {
    // The table has heard of it.
  }

  onFailure(): void {
    // So it has of this.
  }

  #pingQuestionable(now: number, overlay: Overlay): boolean {
    const node = new Uint8Array(overlay.table.nodeBytes);
    if (!overlay.table.takeQuestionable(now, node)) return false;
    return this.#options.querier.send(now, { overlay, node, knowsId: true }, 'ping', {}, this);
  }

  #refresh(now: number, overlay: Overlay): boolean {
    if (this.#refreshing !== undefined) return false;
    const bucket = overlay.table.staleBucket(now);
    if (bucket < 0) return false;
    overlay.table.handleRefresh(now, bucket);
    const { querier, count, concurrency, random } = this.#options;
    const overlays = {
      ipv4: overlay.family === 4 ? overlay : undefined,
      ipv6: overlay.family === 6 ? overlay : undefined,
    };
    this.#refreshing = new Search({
      ...{ querier, overlays, count, concurrency, method: 'find_node' },
      target: overlay.table.randomIdIn(bucket, random),
      owner: {
        onEnd: () => {
          this.#refreshing = undefined;
        },
      },
    });
    this.#refreshing.start(now);
    return true;
  }
}
