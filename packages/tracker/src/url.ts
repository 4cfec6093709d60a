// Tracker URLs as text: making them harmless, deriving the scrape URL (BEP 48), hiding what is secret in them.

/**
 * The URL with surrounding white space taken off and whatever may not stand in a URL percent-encoded: control characters
 * (a line break can't begin another header), spaces, and non-ASCII characters as UTF-8.
 */
export function encodeUrl(url: string): string {
  return url
    .trim()
    .replace(/[\p{Cc} "<>\\^`{|}]|[^\p{ASCII}]+/gu, (characters) =>
      Array.from(new TextEncoder().encode(characters), percent).join(''),
    );
}

/** The URL with `query` (without `?`) behind the query that it may have, and without its fragment. */
export function appendQuery(url: string, query: string): string {
  const base = url.replace(/#.*$/s, '');
  if (!base.includes('?')) return `${base}?${query}`;
  return /[?&]$/.test(base) ? `${base}${query}` : `${base}&${query}`;
}

/**
 * BEP 48: the scrape URL is the announce URL with `scrape` in place of `announce` where the last component of the path
 * begins with it. A UDP tracker is scraped where it is announced to (BEP 15). `undefined` when there is no scrape URL.
 */
export function scrapeUrl(announceUrl: string): string | undefined {
  if (/^udp:/i.test(announceUrl)) return announceUrl;
  const match = /^([^?#]*\/)announce([^/?#]*)([?#].*)?$/s.exec(announceUrl);
  if (match === null) return undefined;
  return `${match[1]}scrape${match[2]}${match[3] ?? ''}`;
}

/**
 * What may be shown of a URL: scheme, host and port. User names, passwords, and the path and query, where private trackers
 * put their passkeys, are left out.
 */
export function redactUrl(url: string): string {
  const match = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)/i.exec(encodeUrl(url));
  if (match === null) return 'an unreadable URL';
  const authority = match[2]!;
  return `${match[1]!.toLowerCase()}://${authority.slice(authority.lastIndexOf('@') + 1)}`;
}

function percent(byte: number): string {
  return `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
}
