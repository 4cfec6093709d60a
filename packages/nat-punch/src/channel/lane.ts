// What terminals and pages know alike of the streams in a channel, and of when it is made anew.

/** Talk and files go by streams of their own, so that a file holds up no talk. The number of a lane is that of its data channel. */
export const LANES = ['chat', 'file'] as const;
export type Lane = (typeof LANES)[number];

/** A lane is full with so much that SCTP has not taken yet, and asks for more when so much is left. */
export const HIGH_WATER_BYTES = 512 * 1024;
export const LOW_WATER_BYTES = 128 * 1024;

/** From the death of a channel to the next one, if that one was not open for long; it doubles up to the second. */
export const FIRST_RETRY_MS = 250;
export const MAX_RETRY_MS = 5000;
