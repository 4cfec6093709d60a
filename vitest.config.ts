import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    projects: ['packages/*', 'apps/*'],
    // vitest leaves one core idle; on two that is half the machine, and many tests wait for a socket or a child process.
    maxWorkers: Math.max(2, availableParallelism() - 1),
  },
});
