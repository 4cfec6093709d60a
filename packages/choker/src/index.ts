/**
 * Whom to unchoke: rate-based rounds, optimistic unchoking, anti-snubbing, seeding. Pure and seeded.
 *
 * @module
 */
export { Choker } from './choker.ts';
export type {
  ChokerDecision,
  ChokerMode,
  ChokerOptions,
  ChokerPeer,
  ChokerTotals,
} from './types.ts';
