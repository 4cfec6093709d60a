// A host's line to the network: one direction of it passes bytes at a rate, one packet after the other,
// round robin between the streams that have something to send.

import type { VirtualClock } from './clock.ts';

/** Something that wants to send over a line; the line asks it for its next packet when it is its turn. */
export interface Sender {
  /** Takes the next packet from its queue, or undefined when it may not send now. */
  takePacket(): Packet | undefined;
}

export interface Packet {
  readonly lengthBytes: number;
  /** Called when the last byte has left the line. */
  sent(): void;
}

/** The sending half of a host's line. */
export class Uplink {
  bytesPerSecond: number;
  readonly #clock: VirtualClock;
  #waiting: Sender[] = [];
  #queued = new Set<Sender>();
  #busy = false;

  constructor(clock: VirtualClock, bytesPerSecond: number) {
    this.#clock = clock;
    this.bytesPerSecond = bytesPerSecond;
  }

  /** Says that the sender has a packet; it is asked for it when the line is free. */
  offer(sender: Sender): void {
    if (this.#queued.has(sender)) return;
    this.#queued.add(sender);
    this.#waiting.push(sender);
    if (!this.#busy) this.#pass();
  }

  #pass(): void {
    for (;;) {
      const sender = this.#waiting.shift();
      if (sender === undefined) {
        this.#busy = false;
        return;
      }
      this.#queued.delete(sender);
      const packet = sender.takePacket();
      if (packet === undefined) continue;
      this.#busy = true;
      this.#clock.after((packet.lengthBytes / this.bytesPerSecond) * 1000, () => {
        packet.sent();
        this.offer(sender);
        this.#pass();
      });
      return;
    }
  }
}

/** The receiving half: packets queue for it in the order in which they arrive. */
export class Downlink {
  bytesPerSecond: number;
  readonly #clock: VirtualClock;
  #freeAtMs = 0;

  constructor(clock: VirtualClock, bytesPerSecond: number) {
    this.#clock = clock;
    this.bytesPerSecond = bytesPerSecond;
  }

  /** Passes a packet that arrived now; `received` is called when its last byte is through. */
  receive(lengthBytes: number, received: () => void): void {
    if (this.bytesPerSecond === Number.POSITIVE_INFINITY) {
      received();
      return;
    }
    const beginMs = Math.max(this.#clock.now, this.#freeAtMs);
    this.#freeAtMs = beginMs + (lengthBytes / this.bytesPerSecond) * 1000;
    this.#clock.at(this.#freeAtMs, received);
  }
}
