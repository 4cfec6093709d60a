/**
 * BitTorrent trackers over HTTP and UDP: announce, scrape, tiers, and a small server to embed.
 *
 * @module
 */
export type {
  AnnounceEvent,
  AnnounceRequest,
  AnnounceResponse,
  ScrapeEntry,
} from './announce.ts';
export {
  type AnnounceFailure,
  Announcer,
  type AnnouncerEffect,
  type AnnouncerOptions,
  type TrackerStatus,
} from './announcer.ts';
export { TrackerError, type TrackerErrorCode, type TrackerErrorFacts } from './errors.ts';
export { redactUrl } from './url.ts';
