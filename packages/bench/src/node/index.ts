/**
 * Benchmarks against named contenders. The part that does I/O, for Node.
 *
 * @module
 */
export {};
