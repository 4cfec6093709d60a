/**
 * .torrent files v1, v2 and hybrid: parse, build, info-hash, geometry, Merkle trees, magnet links.
 *
 * @module
 */
export {};
