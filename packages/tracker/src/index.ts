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
export { parseAnnounceAnswer, parseScrapeAnswer } from './http-answer.ts';
export { buildAnnounceUrl, buildScrapeUrl } from './http-query.ts';
export type { PeerFilter } from './peers.ts';
export { type HttpAnswer, Responder, type ResponderOptions } from './responder.ts';
export {
  decodeAnnounceAnswer,
  decodeConnectAnswer,
  decodeErrorAnswer,
  decodeScrapeAnswer,
  decodeUdpHeader,
  decodeUdpRequest,
  encodeAnnounceAnswer,
  encodeAnnounceRequest,
  encodeConnectAnswer,
  encodeConnectRequest,
  encodeErrorAnswer,
  encodeScrapeAnswer,
  encodeScrapeRequest,
  UDP_ACTION,
  type UdpAnnounceAnswer,
  type UdpHeader,
  type UdpRequest,
} from './udp.ts';
export { UdpExchange, type UdpExchangeOptions, type UdpOutcome } from './udp-exchange.ts';
export { redactUrl, scrapeUrl } from './url.ts';
