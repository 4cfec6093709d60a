/**
 * BitTorrent trackers over HTTP and UDP: announce, scrape, tiers, and a small server to embed. The part that does I/O, for Node.
 *
 * @module
 */
export { announce, scrape, type TrackerClientOptions } from './announce.ts';
export {
  type HostAddress,
  hostOf,
  type LookupHost,
  lookupAmong,
  type ResolveOptions,
  resolveHost,
} from './resolve.ts';
export {
  type TrackerListenOptions,
  TrackerServer,
  type TrackerServerOptions,
  type TrackerServerStatistics,
} from './server.ts';
