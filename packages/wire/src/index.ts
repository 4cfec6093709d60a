/**
 * BitTorrent peer wire protocol: zero-copy framing, messages, session state, extensions. Pure.
 *
 * @module
 */
export {};
