import { EngineError } from '@bt/engine';
import { storageError } from '@bt/storage';
import { expect, it } from 'vitest';
import { asFailure } from '../src/failures.ts';

it.each([
  [new EngineError('bad-magnet', 'the link is wrong'), 3, 'The link is wrong.'],
  [new EngineError('stopped', 'the session is stopped'), 2, 'The session is stopped.'],
  [
    storageError('is-directory', { path: 'my film' }),
    4,
    'my film: a folder stands where a file should be: move it away.',
  ],
  [new Error('oops'), 70, 'This is a fault of pieces itself: oops.'],
])('tells %s in one sentence, a path as it is written', (cause, exitCode, message) => {
  expect(asFailure(cause)).toMatchObject({ exitCode, message });
});
