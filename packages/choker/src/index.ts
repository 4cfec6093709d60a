/**
 * BitTorrent choker: tit-for-tat rounds, optimistic unchoke, anti-snubbing, seeding. Pure.
 *
 * @module
 */
export {};
