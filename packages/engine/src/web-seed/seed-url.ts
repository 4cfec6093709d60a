// The URL of a file at a web seed (BEP 19, "Metadata Extension" and "Multi-File Torrents").

import type { Info } from '@bt/metainfo';

/**
 * A torrent of one file is the seed's URL itself, or below it where that ends with a slash; of several files each lies
 * below the URL by its path, the torrent's name first. Components are those of the torrent, percent-encoded, whatever the
 * files are called on our disk. A query stays behind the path; a fragment is left out.
 */
export function seedFileUrl(seedUrl: string, info: Info, fileIndex: number): string {
  const [, address = '', query = ''] = /^([^?#]*)(\?[^#]*)?/s.exec(seedUrl) ?? [];
  if (info.isSingleFile && !address.endsWith('/')) return address + query;
  const path = (info.files.rawPathOf(fileIndex) ?? []).map(percentEncode).join('/');
  return `${address}${address.endsWith('/') ? '' : '/'}${path}${query}`;
}

/** RFC 3986, section 2.3: all bytes but the unreserved ones. */
function percentEncode(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) {
    const character = String.fromCharCode(byte);
    text += UNRESERVED.test(character)
      ? character
      : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return text;
}

const UNRESERVED = /[A-Za-z0-9._~-]/;
