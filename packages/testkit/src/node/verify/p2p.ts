// The acceptance suite of NAT traversal: the lab proves itself, then the apps chat in it.
import type { VerifyLine } from './line.ts';
import { blockedLine } from './p2p/blocked.ts';
import { browserRoomLine } from './p2p/browser.ts';
import { cleanUpLine } from './p2p/clean-up.ts';
import { discoveryLine } from './p2p/discovery.ts';
import { filesLine } from './p2p/files.ts';
import { healingLine } from './p2p/healing.ts';
import { lossLine } from './p2p/loss.ts';
import { natKindsLine } from './p2p/nat-kinds.ts';
import { oneMachineLine } from './p2p/one-machine.ts';
import { pairsLine } from './p2p/pairs.ts';
import { programsLine } from './p2p/programs.ts';
import { redisLine } from './p2p/redis.ts';
import { sameNatLine } from './p2p/same-nat.ts';
import { strangerLine } from './p2p/stranger.ts';

export const p2p: readonly VerifyLine[] = [
  cleanUpLine,
  natKindsLine,
  discoveryLine,
  pairsLine,
  blockedLine,
  lossLine,
  healingLine,
  oneMachineLine,
  sameNatLine,
  browserRoomLine,
  filesLine,
  programsLine,
  redisLine,
  strangerLine,
];
