// Runs a worker thread from its TypeScript source, which Node 20 can't load by itself: the module to run is the first argument.
// Only for work on this repository; what is published starts the built worker.
import { register } from 'tsx/esm/api';

register();
await import(process.argv[2]);
