/**
 * Pieces to files and back: layout, write path, read-ahead, recheck, resume files. The part that does I/O, for Node.
 *
 * @module
 */
export {};
