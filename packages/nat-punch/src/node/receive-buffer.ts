// How much of what comes the system keeps while we are busy: with its default (208 KiB on Linux) a fast sender's bursts overflow
// it, and SCTP takes the loss for a full network: 50 MB at 30 ms took 38 to 78 s instead of 6.

/** Asked for each UDP socket that carries data; the system grants less where its limit is lower. */
export const RECEIVE_BUFFER_BYTES = 4 * 2 ** 20;
