import { readFileSync } from 'node:fs';

/**
 * How many descriptors the process may have (RLIMIT_NOFILE, the soft limit, which Node raises to the hard limit when it
 * starts). Infinity where the system doesn't tell.
 */
export function descriptorLimit(): number {
  try {
    const found = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
    if (found?.[1] !== undefined) return Number(found[1]);
  } catch {
    // Not Linux: the limits there are far above what is used here.
  }
  return Number.POSITIVE_INFINITY;
}
