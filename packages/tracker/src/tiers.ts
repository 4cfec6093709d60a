// The order of trackers (BEP 12): tiers in order, each shuffled once, and whoever answers moves to the front of its tier.
import { MAX_TRACKERS } from './limits.ts';

export interface Tiered {
  readonly url: string;
  /** 0 for the first tier. */
  readonly tier: number;
}

/** URLs tier by tier, shuffled within each; without duplicates (the first place counts) and empty ones, 100 at most. */
export function arrangeTiers(
  tiers: readonly (readonly string[])[],
  random: () => number,
): Tiered[] {
  const seen = new Set<string>();
  const arranged: Tiered[] = [];
  let tier = 0;
  for (const urls of tiers) {
    const fresh: string[] = [];
    for (const url of urls) {
      if (url === '' || seen.has(url) || seen.size === MAX_TRACKERS) continue;
      seen.add(url);
      fresh.push(url);
    }
    if (fresh.length === 0) continue;
    shuffle(fresh, random);
    for (const url of fresh) arranged.push({ url, tier });
    tier++;
  }
  return arranged;
}

/** Moves `item` to the front of its tier. */
export function promote<T extends Tiered>(order: T[], item: T): void {
  const from = order.indexOf(item);
  const to = order.findIndex((other) => other.tier === item.tier);
  if (from <= to) return;
  order.splice(from, 1);
  order.splice(to, 0, item);
}

/** Fisher and Yates. */
function shuffle(items: string[], random: () => number): void {
  for (let i = items.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    const item = items[i]!;
    items[i] = items[j]!;
    items[j] = item;
  }
}
