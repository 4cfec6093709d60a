// The acceptance suite of NAT traversal: the lab proves itself, then the apps chat in it.
import type { VerifyLine } from './line.ts';
import { cleanUpLine } from './p2p/clean-up.ts';
import { natKindsLine } from './p2p/nat-kinds.ts';

export const p2p: readonly VerifyLine[] = [cleanUpLine, natKindsLine];
