/**
 * BitTorrent session: downloads and seeds torrents over pure state machines. The part that does I/O, for Node.
 *
 * @module
 */
export {};
