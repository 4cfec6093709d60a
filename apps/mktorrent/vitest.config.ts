import { defineProject, mergeConfig } from 'vitest/config';
import shared from '../../vitest.shared.ts';

export default mergeConfig(
  shared,
  // Some tests start the program from source, which takes seconds on a busy machine.
  defineProject({ test: { testTimeout: 60_000 } }),
);
