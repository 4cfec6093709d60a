/**
 * Pieces to files and back: layout, write path, read-ahead, recheck, resume files.
 *
 * @module
 */
export {};
