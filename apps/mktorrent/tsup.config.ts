import { defineConfig } from 'tsup';

export default defineConfig({
  entry: ['src/cli.ts'],
  format: 'esm',
  target: 'node20',
  platform: 'node',
  sourcemap: true,
  clean: true,
  removeNodeProtocol: false,
  // commander in the same file: 9 ms less of the 20 ms that --help costs beyond Node's own start. It is CommonJS and calls require.
  noExternal: ['commander'],
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
});
