/**
 * BitTorrent trackers over HTTP and UDP: announce, scrape, tiers, and a small server to embed.
 *
 * @module
 */
export {};
