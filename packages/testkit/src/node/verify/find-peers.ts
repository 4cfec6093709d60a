// The acceptance suite of finding peers without a tracker: DHT, magnet links, peer exchange, web seeds, and BEP 52 in the swarm.
import { dhtCostLine } from './dht-cost.ts';
import { itemsLine } from './items.ts';
import type { VerifyLine } from './line.ts';
import { lookupsLine } from './lookups.ts';
import { magnetsLine } from './magnets.ts';
import { metadataLine } from './metadata.ts';
import { packetsLine } from './packets.ts';
import { v2Line } from './v2.ts';
import { vitestResults } from './vitest-run.ts';
import { webSeedsLine } from './web-seeds.ts';

const readmeLine: VerifyLine = {
  name: 'readme',
  title: "the examples in @bt/krpc-dht's README print what it says",
  needs: [],
  run: ({ root }) => vitestResults(root, '@bt/krpc-dht', 'test/readme.test.ts'),
};

export const findPeers: readonly VerifyLine[] = [
  magnetsLine,
  metadataLine,
  lookupsLine,
  itemsLine,
  dhtCostLine,
  packetsLine,
  webSeedsLine,
  v2Line,
  readmeLine,
];
