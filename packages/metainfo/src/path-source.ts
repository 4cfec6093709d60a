// Where the paths of a FileTable come from.

/** Gives the safe path of a file by its index. */
export interface PathSource {
  pathOf(fileIndex: number): readonly string[];
  symlinkTargetOf(fileIndex: number): readonly string[] | undefined;
}
