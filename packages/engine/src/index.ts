/**
 * BitTorrent session: downloads and seeds torrents over pure state machines.
 *
 * @module
 */
export {};
