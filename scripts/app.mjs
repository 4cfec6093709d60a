// `pnpm mktorrent -- ARGS`, `pnpm pieces -- ARGS`: builds what is missing and runs that app.
import { ensureBuilt, ensureInstalled, runApp } from './setup.mjs';

const [name, ...args] = process.argv.slice(2);
ensureInstalled();
ensureBuilt();
runApp(name, args);
