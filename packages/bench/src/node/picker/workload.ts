// One run: workload.ts PIECES BLOCKS_PER_PIECE SEEDS. The figures are means over whole downloads.
import { printMeasured, startMeasuring } from '../measured.ts';
import { createSwarm, createWatches, download, measureJoin } from './swarm.ts';

/** Linux counts a thread's time in steps of some milliseconds: so many blocks make the mean exact enough. */
const ENOUGH_BLOCKS = 500_000;

const [pieceCount, blocksPerPiece, seeds] = process.argv.slice(2).map(Number) as [
  number,
  number,
  number,
];
download(createSwarm(1000, blocksPerPiece, seeds), 1000, blocksPerPiece, createWatches()); // warm-up
const watches = createWatches();
const end = startMeasuring();
let blocks = 0;
while (blocks < ENOUGH_BLOCKS) {
  const swarm = createSwarm(pieceCount, blocksPerPiece, seeds);
  blocks += download(swarm, pieceCount, blocksPerPiece, watches);
}
const sample = end();
const { have, pick, block, piece } = watches;
const figures = {
  'have ns': have.nanoseconds,
  'pick ns': pick.nanoseconds,
  'block ns': block.nanoseconds,
  'piece passed ns': piece.nanoseconds,
  'seed joins ms': measureJoin(pieceCount, 1).join,
  'peer with 99% joins ms': measureJoin(pieceCount, 0.99).join,
  'peer with 50% joins ms': measureJoin(pieceCount, 0.5).join,
};
printMeasured({ ...sample, figures }, `${blocks} blocks`);
