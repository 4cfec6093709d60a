/**
 * Virtual clock and seeded network for testing sans-I/O machines.
 *
 * @module
 */
export {};
