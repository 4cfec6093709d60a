// What to tell, and how to end, for whatever was thrown.
import { MetainfoError } from '@bt/metainfo';
import { FileError } from '@bt/metainfo/node';
import { EXIT, ExitError, usageError } from './exit.ts';

export function exitErrorOf(error: unknown): ExitError {
  if (error instanceof ExitError) return error;
  if (error instanceof FileError) {
    const exitCode = error.code === 'worker-failed' ? EXIT.failed : EXIT.disk;
    return new ExitError(exitCode, error.message, error);
  }
  if (error instanceof MetainfoError) return usageError(error.message);
  const message = error instanceof Error ? error.message : String(error);
  return new ExitError(EXIT.failed, `Unexpected error: ${message}.`, error);
}
