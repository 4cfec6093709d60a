// The acceptance suite of finding peers without a tracker: DHT, magnet links, peer exchange, web seeds, and BEP 52 in the swarm.
import { itemsLine } from './items.ts';
import type { VerifyLine } from './line.ts';
import { magnetsLine } from './magnets.ts';
import { metadataLine } from './metadata.ts';
import { packetsLine } from './packets.ts';
import { v2Line } from './v2.ts';
import { webSeedsLine } from './web-seeds.ts';

export const findPeers: readonly VerifyLine[] = [
  magnetsLine,
  metadataLine,
  itemsLine,
  packetsLine,
  webSeedsLine,
  v2Line,
];
