// `npm start`: the main job on this machine alone; with arguments, `npm start -- -t X.torrent`, the app `pieces` with those.
import { ensureBuilt, ensureInstalled, runApp } from './setup.mjs';

const args = process.argv.slice(2);
ensureInstalled();
ensureBuilt();
if (args.length > 0) runApp('pieces', args);
else await import('./demo.mjs');
