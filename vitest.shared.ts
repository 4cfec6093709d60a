import { defineConfig } from 'vitest/config';

/** Resolve sibling @bt/* packages to TypeScript source, so no build is needed before a test run. */
const conditions = ['@bt/source'];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    environment: 'node',
    include: ['test/**/*.test.ts'],
    benchmark: { include: ['bench/**/*.bench.ts'] },
  },
});
