import { defineConfig } from 'vitest/config';

/** Resolve sibling @bt/* packages to TypeScript source, so no build is needed before a test run. */
const conditions = ['@bt/source'];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    environment: 'node',
    include: ['test/**/*.test.ts'],
    // Only what hangs may end by time: how long a test takes is the machine's affair.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // A busy machine takes longer than vitest's one second for what comes from elsewhere.
    expect: { poll: { timeout: 60_000 } },
    benchmark: { include: ['bench/**/*.bench.ts'] },
  },
});
