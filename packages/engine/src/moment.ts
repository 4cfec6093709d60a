// The time of the call that is being handled, shared by the parts of one torrent: pure code asks no clock, and the
// wire's callbacks carry no time.

export interface Moment {
  /** Milliseconds on the owner's monotonic clock. */
  now: number;
}
