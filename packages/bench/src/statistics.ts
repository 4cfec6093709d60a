// The statistics of rounds. The contenders of one round run one after the other, so a ratio is taken within each round and the
// median of those is told: what else the machine does then weighs on both sides.

export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** The middle value; of an even number of values the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('no values');
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >>> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export function spread(values: readonly number[]): Spread {
  return { median: median(values), least: Math.min(...values), most: Math.max(...values) };
}

/**
 * The median of `ours[i] / theirs[i]`, the values of the same rounds: above 1 we need more. Undefined when some round's value
 * of theirs is 0, too small to be measured.
 */
export function ratio(ours: readonly number[], theirs: readonly number[]): number | undefined {
  if (ours.length !== theirs.length) throw new RangeError('not the same rounds');
  if (theirs.some((value) => value === 0)) return undefined;
  return median(ours.map((value, round) => value / theirs[round]!));
}
