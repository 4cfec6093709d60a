/**
 * Pieces to files and back: layout, write path, read-ahead, recheck, resume files. The part that does I/O, for Node.
 *
 * @module
 */
export { descriptorLimit } from './descriptor-limit.ts';
export { DiskPool, type DiskPoolOptions } from './disk-pool.ts';
export { FileStore } from './file-store.ts';
export type { CheckProgress, FileStoreOptions } from './file-store-options.ts';
export { replaceFile } from './replace-file.ts';
export { defaultStateFolder, removeRecord } from './resume-file.ts';
