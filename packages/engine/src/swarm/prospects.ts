// Since when nothing useful has come, as statistics tell it: so that a user can give up on peers that claim to have what we
// lack and send none of it.

import { FIRST_BLOCK_MS, TURN_MS } from '../limits.ts';

export class Prospects {
  /** When something useful last came, or could be expected to come. */
  lastUsefulMs: number;
  /** When it last came. */
  #usedMs: number;
  /** Useful bytes that had come then. */
  #usefulBytes = 0;
  /** When, since then, the first peer was seen that has what we lack. Others that follow give no more time. */
  #waitingSinceMs: number | undefined;

  constructor(now: number) {
    this.lastUsefulMs = now;
    this.#usedMs = now;
  }

  /** Something useful came then, or nothing was lacking, or it was our disk that was waited for. */
  noteUse(atMs: number): void {
    if (atMs <= this.#usedMs) return;
    this.#usedMs = atMs;
    this.#waitingSinceMs = undefined;
    this.lastUsefulMs = Math.max(this.lastUsefulMs, atMs);
  }

  /** What has come so far, without duplicates. */
  noteBytes(now: number, usefulBytes: number): void {
    if (usefulBytes > this.#usefulBytes) this.noteUse(now);
    this.#usefulBytes = usefulBytes;
  }

  /** A peer is connected that has what we lack. One that chokes us is waited for: its slots go round. */
  notePeer(now: number, isChokingUs: boolean): void {
    this.#waitingSinceMs ??= now;
    const untilMs = this.#waitingSinceMs + (isChokingUs ? TURN_MS : FIRST_BLOCK_MS);
    this.lastUsefulMs = Math.max(this.lastUsefulMs, Math.min(now, untilMs));
  }
}
