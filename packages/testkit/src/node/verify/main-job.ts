// The acceptance suite of the main job: make a torrent, download it, seed it.
import { crashLine } from './crash.ts';
import { interopLine } from './interop.ts';
import { largeLine } from './large.ts';
import type { VerifyLine } from './line.ts';
import { mktorrentLine } from './mktorrent.ts';
import { browserLine, packagesLine } from './packages.ts';
import { spreadLine } from './spread.ts';
import { startLine } from './start.ts';
import { strategiesLine } from './strategies.ts';

export const mainJob: readonly VerifyLine[] = [
  startLine,
  packagesLine,
  browserLine,
  mktorrentLine,
  interopLine,
  spreadLine,
  strategiesLine,
  crashLine,
  largeLine,
];
