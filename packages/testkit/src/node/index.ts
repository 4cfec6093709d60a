/**
 * Real peers and scenarios for the tests of this repository.
 *
 * @module
 */
export { Child, type ChildOptions, type ExitStatus } from './child.ts';
export { enterNamespace, inNamespace, labAddress, namespaceObstacle } from './namespace.ts';
export { aria2 } from './peers/aria2.ts';
export { libtorrent } from './peers/libtorrent.ts';
export {
  type OpentrackerOptions,
  type RunningTracker,
  startOpentracker,
} from './peers/opentracker.ts';
export type { PeerProgram, RunningPeer, TransferOptions } from './peers/peer-program.ts';
export { type PiecesEvent, pieces, type RunningPieces, startPieces } from './peers/pieces.ts';
export { transmission } from './peers/transmission.ts';
export { findProgram, missingPrograms, type Program, PYTHON } from './programs.ts';
export { type SampleFile, sampleTree, treeDifference, writeSampleTree } from './sample-tree.ts';
