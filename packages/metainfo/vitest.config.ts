import { defineProject, mergeConfig } from 'vitest/config';
import shared from '../../vitest.shared.ts';

export default mergeConfig(
  shared,
  // Hash workers start from source through a loader, which takes seconds on a busy machine.
  defineProject({ test: { testTimeout: 60_000 } }),
);
