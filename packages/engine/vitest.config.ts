import { defineProject, mergeConfig } from 'vitest/config';
import shared from '../../vitest.shared.ts';

export default mergeConfig(
  shared,
  defineProject({ test: { testTimeout: 60_000, expect: { poll: { timeout: 50_000 } } } }),
);
