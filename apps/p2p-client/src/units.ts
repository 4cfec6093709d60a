// Sizes and rates, as people write and read them. Sizes count in powers of 1024: 4M is 4 MiB.

const SUFFIXES = ['', 'K', 'M', 'G', 'T'];

/** `500`, `64K`, `4M`, `1.5G` in bytes; undefined when the text is no such size. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?$/i.exec(text.trim());
  if (match === null) return undefined;
  const bytes = Math.round(
    Number(match[1]) * 1024 ** SUFFIXES.indexOf((match[2] ?? '').toUpperCase()),
  );
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** `12.3 MiB`. */
export function formatSize(bytes: number): string {
  let value = bytes;
  let power = 0;
  while (value >= 1023.95 && power < SUFFIXES.length - 1) {
    value /= 1024;
    power += 1;
  }
  return power === 0 ? `${bytes} B` : `${value.toFixed(1)} ${SUFFIXES[power]}iB`;
}

/** `99%`: 100% only when it is whole. */
export function formatShare(part: number, whole: number): string {
  if (whole === 0 || part >= whole) return '100%';
  return `${Math.floor((part / whole) * 100)}%`;
}
