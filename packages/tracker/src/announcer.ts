// Decides whom to announce to and when: tiers (BEP 12), events (BEP 3), intervals and back-off (BEP 31). Pure: the owner
// performs the announces and reports how they went.
//
// One rule makes the whole schedule. The trackers stand in order, tier by tier. Whenever the pace allows it, the first one
// that is due is asked. The search for it ends at the first tracker that works, unless peers are needed. The pace: the next
// tracker waits 3 s for the one before, and not at all after a failure or after an answer without peers.
import type { AnnounceEvent, AnnounceResponse } from './announce.ts';
import { pauseAfterFailure } from './backoff.ts';
import type { TrackerErrorCode } from './errors.ts';
import { MIN_INTERVAL_SECONDS, PATIENCE_MS } from './limits.ts';
import { arrangeTiers, promote, type Tiered } from './tiers.ts';

export interface AnnouncerOptions {
  /** URLs by tier (BEP 12). Duplicates and what exceeds 100 are ignored. */
  readonly tiers: readonly (readonly string[])[];
  /** Numbers in [0, 1), from a seeded source in tests: order within tiers, spread of retries. */
  readonly random: () => number;
  /** Peers to ask for; 50 by default. */
  readonly numWant?: number;
}

/** What the owner is to do. */
export type AnnouncerEffect =
  | {
      readonly type: 'announce';
      /** To be handed back with the outcome. */
      readonly requestId: number;
      readonly url: string;
      readonly event: AnnounceEvent | undefined;
      readonly numWant: number;
      readonly trackerId: Uint8Array | undefined;
    }
  | {
      /** Give up on this announce. Its outcome need not be reported. */
      readonly type: 'cancel';
      readonly requestId: number;
    };

/** What a failed announce has to say; a `TrackerError` fits. */
export interface AnnounceFailure {
  readonly code: TrackerErrorCode;
  readonly message: string;
  readonly retryInSeconds?: number | undefined;
}

export interface TrackerStatus {
  readonly url: string;
  /** 0 for the first tier. */
  readonly tier: number;
  /** `unused`: never asked. `disabled`: its URL is unusable or it said never to come again. */
  readonly state: 'unused' | 'announcing' | 'working' | 'failing' | 'disabled';
  /** Failures since the last answer. */
  readonly failures: number;
  readonly lastFailure: AnnounceFailure | undefined;
  /** Milliseconds on the owner's clock. */
  readonly nextAnnounceAt: number;
  readonly complete: number | undefined;
  readonly incomplete: number | undefined;
  readonly warning: string | undefined;
}

/**
 * The announces of one torrent. Drain `poll` after every other call before the next one, and call `handleTimeout` when
 * `deadline` has come. Times are milliseconds on one clock.
 */
export class Announcer {
  readonly #order: Tracker[];
  readonly #random: () => number;
  readonly #numWant: number;
  readonly #effects: AnnouncerEffect[] = [];
  readonly #inFlight = new Map<number, Tracker>();
  #phase: 'new' | 'running' | 'stopping' = 'new';
  #peersNeeded = true;
  #nextRequestId = 1;
  /** The announce that the next tracker waits for, and until when. */
  #paceRequestId = 0;
  #paceUntil = Number.NEGATIVE_INFINITY;

  constructor(options: AnnouncerOptions) {
    this.#random = options.random;
    this.#numWant = options.numWant ?? DEFAULT_NUM_WANT;
    this.#order = arrangeTiers(options.tiers, options.random).map(({ url, tier }) => ({
      url,
      tier,
      requestId: 0,
      sentAt: 0,
      event: undefined,
      answered: false,
      works: false,
      owesCompleted: false,
      owesStopped: false,
      failures: 0,
      lastFailure: undefined,
      dueAt: Number.NEGATIVE_INFINITY,
      hurryAt: 0,
      hurries: 0,
      expiresAt: 0,
      trackerId: undefined,
      complete: undefined,
      incomplete: undefined,
      warning: undefined,
    }));
  }

  /** Begins; the first announce to each tracker says `started`. */
  start(now: number): void {
    if (this.#phase !== 'new') return;
    this.#phase = 'running';
    this.#schedule(now);
  }

  /** The download has just been completed: trackers that know us hear of it, and no more peers are needed. */
  complete(now: number): void {
    if (this.#phase !== 'running') return;
    this.#peersNeeded = false;
    for (const tracker of this.#order) {
      if (tracker.requestId !== 0) tracker.owesCompleted = true;
      else if (tracker.answered) {
        tracker.owesCompleted = true;
        if (tracker.works) this.#announce(now, tracker);
      }
    }
    this.#schedule(now);
  }

  /**
   * Whether the owner lacks peers; true at the start. While it is, an answer doesn't end the search: the next trackers
   * are asked too, 3 s apart, and trackers that work are asked again as soon as their `min interval` allows, then after
   * twice as long, up to the interval.
   */
  handlePeersNeeded(now: number, needed: boolean): void {
    this.#peersNeeded = needed;
    this.#schedule(now);
  }

  /**
   * Gives up on announces under way and says `stopped` to all trackers that may know us, at once and once. The owner sets
   * a time limit; nothing is waited for but its reports.
   */
  stop(now: number): void {
    if (this.#phase === 'stopping') return;
    this.#phase = 'stopping';
    for (const tracker of this.#order) {
      const mayKnowUs = tracker.answered && now < tracker.expiresAt;
      // A tracker that is about to answer has heard us; one that has been silent for long most likely has not.
      const isAnswering = tracker.requestId !== 0 && now < tracker.sentAt + PATIENCE_MS;
      if (isAnswering && tracker.event === 'completed') {
        tracker.owesStopped = true;
        continue;
      }
      this.#cancel(tracker);
      if (mayKnowUs || isAnswering) this.#announce(now, tracker);
    }
  }

  /** An announce was answered. Unknown and cancelled ids are ignored. */
  handleResponse(now: number, requestId: number, response: AnnounceResponse): void {
    const tracker = this.#settle(now, requestId);
    if (tracker === undefined) return;
    if (tracker.event === 'completed') tracker.owesCompleted = false;
    tracker.answered = true;
    tracker.works = true;
    tracker.failures = 0;
    tracker.lastFailure = undefined;
    tracker.complete = response.complete ?? tracker.complete;
    tracker.incomplete = response.incomplete ?? tracker.incomplete;
    tracker.warning = response.warning;
    tracker.trackerId = response.trackerId ?? tracker.trackerId;
    const minMs = (response.minIntervalSeconds ?? 0) * 1000;
    const intervalMs = Math.max(response.intervalSeconds * 1000, minMs);
    tracker.dueAt = now + intervalMs;
    tracker.hurries = this.#peersNeeded ? tracker.hurries + 1 : 1;
    const firstHurryMs = Math.max(minMs || UNASKED_MIN_INTERVAL_MS, 1000 * MIN_INTERVAL_SECONDS);
    tracker.hurryAt = now + firstHurryMs * 2 ** (tracker.hurries - 1);
    tracker.expiresAt = now + 2 * intervalMs;
    promote(this.#order, tracker);
    // An announce with bytes left was under way when the download was completed.
    if (tracker.owesCompleted && this.#phase === 'running') this.#announce(now, tracker);
    if (response.peers.length === 0 && requestId === this.#paceRequestId) this.#paceUntil = now;
    this.#schedule(now);
  }

  /** An announce failed. Unknown and cancelled ids are ignored. */
  handleFailure(now: number, requestId: number, failure: AnnounceFailure): void {
    const tracker = this.#settle(now, requestId);
    if (tracker === undefined) return;
    // Its next announce says `started` with nothing left, which is all it needs to know.
    if (!tracker.answered) tracker.owesCompleted = false;
    tracker.works = false;
    tracker.failures++;
    tracker.lastFailure = failure;
    tracker.dueAt = now + pauseAfterFailure(tracker.failures, failure, this.#random);
    if (requestId === this.#paceRequestId) this.#paceUntil = now;
    this.#schedule(now);
  }

  handleTimeout(now: number): void {
    this.#schedule(now);
  }

  /** The next thing to do, until there is none. */
  poll(): AnnouncerEffect | undefined {
    return this.#effects.shift();
  }

  /** When to call `handleTimeout`; Infinity when only outcomes are waited for. */
  deadline(): number {
    if (this.#phase !== 'running') return Number.POSITIVE_INFINITY;
    let earliest = Number.POSITIVE_INFINITY;
    for (const tracker of this.#candidates()) earliest = Math.min(earliest, this.#dueAt(tracker));
    return Math.max(earliest, this.#paceUntil);
  }

  /** After `stop`: every outcome is in. */
  get isStopped(): boolean {
    return this.#phase === 'stopping' && this.#inFlight.size === 0;
  }

  /** The trackers in the present order, for display. */
  trackers(): TrackerStatus[] {
    return this.#order.map((tracker) => ({
      url: tracker.url,
      tier: tracker.tier,
      state: stateOf(tracker),
      failures: tracker.failures,
      lastFailure: tracker.lastFailure,
      nextAnnounceAt: this.#dueAt(tracker),
      complete: tracker.complete,
      incomplete: tracker.incomplete,
      warning: tracker.warning,
    }));
  }

  #schedule(now: number): void {
    while (this.#phase === 'running' && this.#paceUntil <= now) {
      const due = this.#candidates().find((tracker) => this.#dueAt(tracker) <= now);
      if (due === undefined) return;
      this.#announce(now, due);
    }
  }

  /**
   * The trackers that may be asked when their time comes: all when peers are needed, else up to the first that works. One
   * that is being asked at the moment doesn't count as working: the pace waits for it as long as it deserves.
   */
  #candidates(): Tracker[] {
    const candidates: Tracker[] = [];
    for (const tracker of this.#order) {
      if (tracker.requestId !== 0) continue;
      candidates.push(tracker);
      if (tracker.works && !this.#peersNeeded) break;
    }
    return candidates;
  }

  #dueAt(tracker: Tracker): number {
    const { works, dueAt, hurryAt } = tracker;
    return works && this.#peersNeeded ? Math.min(dueAt, hurryAt) : dueAt;
  }

  #announce(now: number, tracker: Tracker): void {
    const requestId = this.#nextRequestId++;
    tracker.requestId = requestId;
    tracker.sentAt = now;
    tracker.event = this.#eventFor(tracker);
    this.#inFlight.set(requestId, tracker);
    this.#paceRequestId = requestId;
    this.#paceUntil = now + PATIENCE_MS;
    this.#effects.push({
      type: 'announce',
      requestId,
      url: tracker.url,
      event: tracker.event,
      numWant: this.#phase === 'stopping' ? 0 : this.#numWant,
      trackerId: tracker.trackerId,
    });
  }

  #eventFor(tracker: Tracker): AnnounceEvent | undefined {
    if (this.#phase === 'stopping') return 'stopped';
    if (!tracker.answered) return 'started';
    return tracker.owesCompleted ? 'completed' : undefined;
  }

  #cancel(tracker: Tracker): void {
    const requestId = tracker.requestId;
    if (requestId === 0) return;
    tracker.requestId = 0;
    this.#inFlight.delete(requestId);
    this.#effects.push({ type: 'cancel', requestId });
  }

  /** Takes the announce off the list. Undefined when nobody waits for its outcome. */
  #settle(now: number, requestId: number): Tracker | undefined {
    const tracker = this.#inFlight.get(requestId);
    if (tracker === undefined) return undefined;
    this.#inFlight.delete(requestId);
    tracker.requestId = 0;
    if (this.#phase !== 'stopping') return tracker;
    if (tracker.owesStopped) {
      tracker.owesStopped = false;
      this.#announce(now, tracker);
    }
    return undefined;
  }
}

/** What other clients ask for by default, and trackers expect. */
const DEFAULT_NUM_WANT = 50;

/** How soon a tracker that named no `min interval` is asked again out of need. */
const UNASKED_MIN_INTERVAL_MS = 300_000;

interface Tracker extends Tiered {
  /** The announce under way, 0 for none. */
  requestId: number;
  sentAt: number;
  event: AnnounceEvent | undefined;
  /** It has answered once, and so counts us among its peers. */
  answered: boolean;
  /** Its last announce was answered. */
  works: boolean;
  /** The download was completed, and this tracker, which counts us among the leechers, has not confirmed that it heard. */
  owesCompleted: boolean;
  /** `stopped` follows the `completed` that is under way. */
  owesStopped: boolean;
  failures: number;
  lastFailure: AnnounceFailure | undefined;
  /** When it is asked again: after its interval, or after a pause. */
  dueAt: number;
  /** When it is asked out of need, should it work and the need last; answers in a row that did not end the need. */
  hurryAt: number;
  hurries: number;
  /** When it will have forgotten us. */
  expiresAt: number;
  trackerId: Uint8Array | undefined;
  complete: number | undefined;
  incomplete: number | undefined;
  warning: string | undefined;
}

function stateOf(tracker: Tracker): TrackerStatus['state'] {
  if (tracker.requestId !== 0) return 'announcing';
  if (tracker.dueAt === Number.POSITIVE_INFINITY) return 'disabled';
  if (tracker.works) return 'working';
  return tracker.failures > 0 ? 'failing' : 'unused';
}
