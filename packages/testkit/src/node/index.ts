/**
 * Real peers, hostile peers and scenarios for the tests of this repository. The part that does I/O, for Node.
 *
 * @module
 */
export {};
