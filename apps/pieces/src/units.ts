// Sizes, rates and times, as people write and read them. Sizes count in powers of 1024: 4M is 4 MiB.

const SUFFIXES = ['', 'K', 'M', 'G', 'T'];

/** `500`, `64K`, `4M`, `1.5G` in bytes; undefined when the text is no such size. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?(?:\/s)?$/i.exec(text.trim());
  if (match === null) return undefined;
  const bytes = Number(match[1]) * 1024 ** SUFFIXES.indexOf((match[2] ?? '').toUpperCase());
  return Number.isSafeInteger(Math.round(bytes)) ? Math.round(bytes) : undefined;
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

/** `12.3 MiB/s`. */
export function formatRate(bytesPerSecond: number): string {
  return `${formatSize(Math.round(bytesPerSecond))}/s`;
}

/** `45 s`, `2 min 5 s`, `1 h 12 min`, `3 d 2 h`. */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  if (minutes === 0) return `${seconds} s`;
  if (hours === 0) return `${minutes} min ${seconds % 60} s`;
  if (hours < 24) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** `99.9%`: 100% only when it is whole. */
export function formatShare(part: number, whole: number): string {
  if (whole === 0 || part >= whole) return '100%';
  return `${(Math.floor((part / whole) * 1000) / 10).toFixed(1)}%`;
}
