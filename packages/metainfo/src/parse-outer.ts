// What stands beside the info dictionary: trackers (BEP 3, 12), web seeds (BEP 19) and DHT nodes (BEP 5). None of it is
// covered by the info-hash and all of it can be done without, so what is malformed is left out, and all of it is capped.
import { type BencodeDict, BencodeList, type BencodeValue } from '@bt/bencode';
import { makeHostPort } from './host-port.ts';
import type { HostPort } from './metainfo.ts';
import { decodeUtf8 } from './text.ts';
import { isTrackerUrl, isWebSeedUrl } from './url.ts';

/** Trackers, web seeds and nodes that are kept of a .torrent, each. */
export const MAX_OUTER_VALUES = 1000;

/** The tiers of `announce-list`, else `announce` as the only tracker. Each URL once; empty tiers are left out. */
export function readAnnounceTiers(outer: BencodeDict): string[][] {
  const seen = new Set<string>();
  const tiers: string[][] = [];
  for (const tier of outer.list('announce-list') ?? []) {
    if (seen.size >= MAX_OUTER_VALUES) break;
    if (!(tier instanceof BencodeList)) continue;
    const urls = readUrls(tier, isTrackerUrl, seen);
    if (urls.length > 0) tiers.push(urls);
  }
  if (tiers.length > 0) return tiers;
  const announce = outer.get('announce');
  const urls = announce === undefined ? [] : readUrls([announce], isTrackerUrl, seen);
  return urls.length > 0 ? [urls] : [];
}

/** `url-list`, which is one string or a list of them. */
export function readWebSeeds(outer: BencodeDict): string[] {
  const list = outer.get('url-list');
  const values = list instanceof BencodeList ? list : list === undefined ? [] : [list];
  return readUrls(values, isWebSeedUrl, new Set());
}

/** `nodes`: pairs of host and port. */
export function readNodes(outer: BencodeDict): HostPort[] {
  const nodes: HostPort[] = [];
  for (const pair of outer.list('nodes') ?? []) {
    if (nodes.length >= MAX_OUTER_VALUES) break;
    if (!(pair instanceof BencodeList)) continue;
    const node = makeHostPort(pair.text(0) ?? '', pair.integer(1) ?? 0);
    if (node !== undefined) nodes.push(node);
  }
  return nodes;
}

function readUrls(
  values: Iterable<BencodeValue>,
  isUsable: (text: string) => boolean,
  seen: Set<string>,
): string[] {
  const urls: string[] = [];
  for (const value of values) {
    if (seen.size >= MAX_OUTER_VALUES) break;
    if (!(value instanceof Uint8Array)) continue;
    // Spaces inside are common in web seeds and have one meaning only.
    const url = decodeUtf8(value)?.trim().replaceAll(' ', '%20');
    if (url === undefined || !isUsable(url) || seen.has(url)) continue;
    seen.add(url);
    urls.push(url);
  }
  return urls;
}
