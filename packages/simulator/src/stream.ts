// A simulated TCP connection: ordered bytes with latency, a window, back-pressure on both sides, stalls and cuts.
// Nothing is lost in it; loss in a network under TCP shows as a stall.

import type { Endpoint } from '@bt/endpoint';
import type { VirtualClock } from './clock.ts';
import type { Downlink, Packet, Sender, Uplink } from './link.ts';

/** What the owner of one end of a stream is told. */
export interface StreamListener {
  onConnect?(): void;
  onData(bytes: Uint8Array): void;
  /** Everything that was sent has left this end. */
  onWritable?(): void;
  /** `error` is undefined when the other end closed in order. */
  onClose(error: StreamError | undefined): void;
}

export type StreamError = 'refused' | 'unreachable' | 'reset';

/** One end of a stream. */
export class StreamEnd implements Sender {
  readonly localEndpoint: Endpoint;
  readonly remoteEndpoint: Endpoint;
  listener: StreamListener | undefined;
  /** Bytes handed to `send` in all, and bytes given to the listener. */
  sentBytes = 0;
  receivedBytes = 0;
  isClosed = false;
  #line: StreamLine;
  #other: StreamEnd | undefined;
  #outgoing: Uint8Array[] = [];
  #outgoingBytes = 0;
  #inFlightBytes = 0;
  #received: Uint8Array[] = [];
  #isPaused = false;
  #stalledUntilMs = 0;
  #isFinishing = false;
  #remoteFinished = false;

  constructor(line: StreamLine, localEndpoint: Endpoint, remoteEndpoint: Endpoint) {
    this.#line = line;
    this.localEndpoint = localEndpoint;
    this.remoteEndpoint = remoteEndpoint;
  }

  /** Bytes that have not left this end yet. */
  get queuedBytes(): number {
    return this.#outgoingBytes;
  }

  /** Queues a copy of the bytes. */
  send(bytes: Uint8Array): void {
    if (this.isClosed || this.#isFinishing || bytes.length === 0) return;
    this.sentBytes += bytes.length;
    this.#outgoing.push(bytes.slice());
    this.#outgoingBytes += bytes.length;
    this.#line.uplink.offer(this);
  }

  /** Holds back what arrives; the sender stops when the window is full. */
  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#line.clock.after(0, () => this.#deliver());
  }

  /** Sends what is queued, then ends the stream; nothing is delivered to this end any more. */
  close(): void {
    if (this.isClosed || this.#isFinishing) return;
    this.#isFinishing = true;
    this.#received = [];
    if (this.#outgoingBytes === 0) this.#finish();
  }

  /** Breaks the stream: both ends see a reset, what was under way is lost. */
  cut(): void {
    this.#end('reset');
    if (this.#other !== undefined) this.#other.#end('reset');
  }

  /** Nothing leaves this end before `timeMs`. */
  stallUntil(timeMs: number): void {
    this.#stalledUntilMs = timeMs;
    this.#line.clock.at(timeMs, () => this.#line.uplink.offer(this));
  }

  /** Nothing passes in either direction before `timeMs`. */
  stallBothUntil(timeMs: number): void {
    this.stallUntil(timeMs);
    this.#other?.stallUntil(timeMs);
  }

  takePacket(): Packet | undefined {
    const other = this.#other;
    if (this.isClosed || other === undefined || this.#outgoingBytes === 0) return undefined;
    if (this.#line.clock.now < this.#stalledUntilMs) return undefined;
    const room = this.#line.windowBytes - this.#inFlightBytes;
    if (room <= 0) return undefined;
    const bytes = this.#takeBytes(Math.min(room, this.#line.packetBytes));
    this.#inFlightBytes += bytes.length;
    return {
      lengthBytes: bytes.length,
      sent: () => {
        this.#outgoingBytes -= bytes.length;
        this.#line.clock.after(this.#line.latencyMs, () => {
          other.#line.downlink.receive(bytes.length, () => other.#arrive(bytes));
        });
        if (this.#outgoingBytes > 0 || this.isClosed) return;
        if (this.#isFinishing) this.#finish();
        else this.listener?.onWritable?.();
      },
    };
  }

  /** For the network: joins the two ends. */
  join(other: StreamEnd): void {
    this.#other = other;
    if (this.#outgoingBytes > 0) this.#line.uplink.offer(this);
  }

  /** For the network: ends this side with an error. */
  fail(error: StreamError): void {
    this.#end(error);
  }

  #takeBytes(limit: number): Uint8Array {
    const first = this.#outgoing[0]!;
    if (first.length > limit) {
      this.#outgoing[0] = first.subarray(limit);
      return first.subarray(0, limit);
    }
    this.#outgoing.shift();
    return first;
  }

  #arrive(bytes: Uint8Array): void {
    if (this.isClosed) return;
    if (!this.#isFinishing) this.#received.push(bytes);
    this.#deliver();
  }

  #deliver(): void {
    while (!this.#isPaused && !this.isClosed) {
      const bytes = this.#received.shift();
      if (bytes === undefined) break;
      this.receivedBytes += bytes.length;
      if (this.#other !== undefined) this.#other.#acknowledge(bytes.length);
      this.listener?.onData(bytes);
    }
    if (this.#remoteFinished && this.#received.length === 0) this.#end(undefined);
  }

  #acknowledge(lengthBytes: number): void {
    this.#line.clock.after(this.#line.latencyMs, () => {
      this.#inFlightBytes -= lengthBytes;
      if (this.#outgoingBytes > 0) this.#line.uplink.offer(this);
    });
  }

  #finish(): void {
    const other = this.#other;
    this.#end(undefined);
    // Behind the last packet: the receiving line may still be busy with it.
    this.#line.clock.after(this.#line.latencyMs, () => {
      if (other === undefined) return;
      other.#line.downlink.receive(0, () => {
        other.#remoteFinished = true;
        other.#deliver();
      });
    });
  }

  #end(error: StreamError | undefined): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#outgoing = [];
    this.#outgoingBytes = 0;
    this.#received = [];
    const listener = this.listener;
    this.#line.clock.after(0, () => listener?.onClose(error));
  }
}

/** What one end of a stream stands on. */
export interface StreamLine {
  readonly clock: VirtualClock;
  readonly uplink: Uplink;
  readonly downlink: Downlink;
  /** One way, to the other end. */
  readonly latencyMs: number;
  readonly windowBytes: number;
  readonly packetBytes: number;
}
