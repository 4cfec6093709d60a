// The caps on what a stranger's document may cost; docs/LIMITS.md lists them.

/** Containers within containers. The deepest structure a BEP defines is the file tree of BEP 52, as deep as its folders. */
export const DEFAULT_MAX_DEPTH = 100;

/** Tokens: integers, strings (keys too), lists, dictionaries. A .torrent of some 400,000 files; 36 MB of tape. */
export const DEFAULT_MAX_ITEMS = 3_000_000;

/** The longest input. */
export const DEFAULT_MAX_BYTES = 64 * 1024 * 1024;

/** Digits of the longest integer: room for 256 bits. No BEP needs more than 64, and reading n digits costs more than n. */
export const MAX_INTEGER_DIGITS = 78;
