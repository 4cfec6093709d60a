import { createRandom } from '@bt/simulator';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AnnounceResponse } from '../src/announce.ts';
import { type AnnounceFailure, Announcer, type AnnouncerEffect } from '../src/announcer.ts';

const PEER = { address: '192.0.2.1', port: 6881 };
const ANSWER: AnnounceResponse = { intervalSeconds: 1800, peers: [PEER] };
const EMPTY: AnnounceResponse = { intervalSeconds: 1800, peers: [] };
const REFUSED: AnnounceFailure = { code: 'connection', message: 'refused' };
const SECOND = 1000;

type AnnounceEffect = AnnouncerEffect & { type: 'announce' };

/** An announcer, what it asked for, and a clock. */
class Owner {
  readonly announcer: Announcer;
  now = 0;
  readonly asked: string[] = [];
  readonly cancelled: number[] = [];
  readonly open = new Map<string, AnnounceEffect>();

  constructor(tiers: string[][], needed = false) {
    this.announcer = new Announcer({ tiers, random: () => 0.999 });
    this.announcer.handlePeersNeeded(0, needed);
  }

  start(): this {
    this.announcer.start(this.now);
    return this.drain();
  }

  answer(url: string, response = ANSWER): this {
    this.announcer.handleResponse(this.now, this.take(url).requestId, response);
    return this.drain();
  }

  fail(url: string, failure = REFUSED): this {
    this.announcer.handleFailure(this.now, this.take(url).requestId, failure);
    return this.drain();
  }

  /** Goes to a time, stopping wherever the announcer wants to be called. */
  to(seconds: number): this {
    const until = seconds * SECOND;
    for (
      let deadline = this.announcer.deadline();
      deadline <= until;
      deadline = this.announcer.deadline()
    ) {
      this.now = Math.max(this.now, deadline);
      this.announcer.handleTimeout(this.now);
      this.drain();
      expect(this.announcer.deadline()).toBeGreaterThan(this.now);
    }
    this.now = until;
    return this;
  }

  /** What has been asked since the last call: `url`, or `url event`. */
  get news(): string[] {
    return this.asked.splice(0);
  }

  state(url: string) {
    return this.announcer.trackers().find((tracker) => tracker.url === url)!;
  }

  drain(): this {
    for (let effect = this.announcer.poll(); effect !== undefined; effect = this.announcer.poll()) {
      if (effect.type === 'cancel') {
        this.cancelled.push(effect.requestId);
        for (const [url, open] of this.open)
          if (open.requestId === effect.requestId) this.open.delete(url);
        continue;
      }
      expect(this.open.has(effect.url)).toBe(false);
      this.open.set(effect.url, effect);
      this.asked.push(effect.event === undefined ? effect.url : `${effect.url} ${effect.event}`);
    }
    return this;
  }

  private take(url: string): AnnounceEffect {
    const effect = this.open.get(url)!;
    this.open.delete(url);
    return effect;
  }
}

describe('BEP 12: which tracker is asked', () => {
  it('asks the first one, and no other while it answers', () => {
    const owner = new Owner([['a'], ['b']]).start();
    expect(owner.news).toEqual(['a started']);
    owner.answer('a').to(1799);
    expect(owner.news).toEqual([]);
    expect(owner.to(1800).news).toEqual(['a']);
  });

  it('asks the next at once when one fails, through all tiers', () => {
    const owner = new Owner([['a', 'b'], ['c']]).start();
    owner.fail('a').fail('b');
    expect(owner.news).toEqual(['a started', 'b started', 'c started']);
    owner.answer('c');
    expect(owner.state('a').state).toBe('failing');
    expect(owner.state('c').state).toBe('working');
  });

  it('does not let a silent tracker hold up the next for more than 3 s', () => {
    const owner = new Owner([['a'], ['b'], ['c']]).start();
    expect(owner.to(2.999).news).toEqual(['a started']);
    expect(owner.to(3).news).toEqual(['b started']);
    expect(owner.to(6).news).toEqual(['c started']);
    owner.answer('b').to(100);
    expect(owner.news).toEqual([]);
  });

  it('does not let a tracker that used to answer hold up the next either', () => {
    const owner = new Owner([['a'], ['b']]).start().answer('a').to(1800);
    owner.news;
    expect(owner.to(1803).news).toEqual(['b started']);
  });

  it('takes late answers, and prefers the higher tier afterwards', () => {
    const owner = new Owner([['a'], ['b']]).start().to(3);
    owner.answer('b').answer('a').to(1803);
    expect(owner.news).toEqual(['a started', 'b started', 'a']);
  });

  it('promotes the one that answers to the front of its tier, and no further', () => {
    const owner = new Owner([['a', 'b', 'c'], ['d']]).start();
    owner.fail('a').fail('b').answer('c');
    expect(owner.announcer.trackers().map(({ url }) => url)).toEqual(['c', 'a', 'b', 'd']);
    expect(owner.announcer.trackers().map(({ tier }) => tier)).toEqual([0, 0, 0, 1]);
  });

  it('goes back to a higher tier when its pause is over', () => {
    const owner = new Owner([['a'], ['b']]).start().fail('a').answer('b');
    owner.news;
    expect(owner.to(15).news).toEqual(['a started']);
    owner.answer('a').to(1800);
    expect(owner.news).toEqual([]);
  });

  it('has nothing to do without trackers', () => {
    const owner = new Owner([[], ['']]).start();
    expect(owner.announcer.deadline()).toBe(Number.POSITIVE_INFINITY);
    owner.announcer.stop(0);
    expect(owner.announcer.isStopped).toBe(true);
  });
});

describe('peers needed', () => {
  it('an answer without peers does not hold up the next tracker', () => {
    const owner = new Owner([['a'], ['b'], ['c']], true).start();
    owner.answer('a', EMPTY);
    expect(owner.news).toEqual(['a started', 'b started']);
  });

  it('an answer whose peers do not help gives way to the next tracker 3 s after it was asked', () => {
    const owner = new Owner([['a'], ['b'], ['c']], true).start();
    owner.to(1).answer('a').to(2.9);
    expect(owner.news).toEqual(['a started']);
    expect(owner.to(3).news).toEqual(['b started']);
    owner.answer('b');
    owner.announcer.handlePeersNeeded(owner.now, false);
    expect(owner.to(1700).news).toEqual([]);
  });

  it('an answer without peers is enough for a seed', () => {
    const owner = new Owner([['a'], ['b']]).start().answer('a', EMPTY);
    expect(owner.to(1000).news).toEqual(['a started']);
  });

  it('asks a working tracker before its interval is over, not before its min interval', () => {
    const owner = new Owner([['a']]).start();
    owner.answer('a', { ...ANSWER, minIntervalSeconds: 120 }).to(10);
    owner.announcer.handlePeersNeeded(owner.now, true);
    owner.drain();
    expect(owner.to(119).news).toEqual(['a started']);
    expect(owner.to(120).news).toEqual(['a']);
  });

  it.each([
    ['no min interval', { intervalSeconds: 1800 }, [300, 900, 2100, 3900, 5700]],
    [
      'a min interval',
      { intervalSeconds: 1800, minIntervalSeconds: 90 },
      [90, 270, 630, 1350, 2790],
    ],
    [
      'a min interval of no length',
      { intervalSeconds: 600, minIntervalSeconds: 1 },
      [60, 180, 420, 900, 1500],
    ],
    ['a short interval', { intervalSeconds: 60 }, [60, 120, 180, 240, 300]],
    [
      'a min interval beyond the interval',
      { intervalSeconds: 60, minIntervalSeconds: 90 },
      [90, 180, 270, 360, 450],
    ],
  ])(
    'while the need lasts, a tracker with %s is asked at ever longer intervals up to its own',
    (_, interval, expected) => {
      const owner = new Owner([['a']], true).start().answer('a', { ...interval, peers: [PEER] });
      const times: number[] = [];
      for (let i = 0; i < expected.length; i++) {
        owner.to(owner.announcer.deadline() / SECOND).answer('a', { ...interval, peers: [PEER] });
        times.push(owner.now / SECOND);
      }
      expect(times).toEqual(expected);
    },
  );

  it('returns to the interval when the need ends, and hurries anew at the next need', () => {
    const owner = new Owner([['a']], true).start();
    const answer = { ...ANSWER, minIntervalSeconds: 60 };
    owner.answer('a', answer).to(60).answer('a', answer).to(180).answer('a', answer);
    owner.announcer.handlePeersNeeded(owner.now, false);
    expect(owner.announcer.deadline()).toBe(1980 * SECOND);
    owner.to(1980).answer('a', answer);
    owner.announcer.handlePeersNeeded(owner.now, true);
    expect(owner.announcer.deadline()).toBe(2040 * SECOND);
  });
});

describe('intervals and pauses', () => {
  it('a min interval longer than the interval is kept', () => {
    const owner = new Owner([['a']]).start();
    owner.answer('a', { intervalSeconds: 3600, minIntervalSeconds: 7200, peers: [PEER] });
    expect(owner.announcer.deadline()).toBe(7200 * SECOND);
  });

  it('pauses double from 15 s to an hour', () => {
    const owner = new Owner([['a']]).start();
    const pauses: number[] = [];
    for (let i = 0; i < 12; i++) {
      const failedAt = owner.now;
      owner.fail('a');
      const deadline = owner.announcer.deadline();
      pauses.push(Math.round((deadline - failedAt) / SECOND));
      owner.to(deadline / SECOND);
    }
    expect(pauses.slice(0, 4)).toEqual([15, 30, 60, 120]);
    expect(pauses.slice(-2)).toEqual([3599, 3599]);
    owner.answer('a');
    expect(owner.state('a').failures).toBe(0);
  });

  it('BEP 31: a tracker says when to come again, or never', () => {
    const owner = new Owner([['a'], ['b'], ['c']]).start();
    owner.fail('a', { code: 'tracker-failure', message: 'later', retryInSeconds: 300 });
    owner.fail('b', {
      code: 'tracker-failure',
      message: 'no',
      retryInSeconds: Number.POSITIVE_INFINITY,
    });
    owner.fail('c', { code: 'invalid-url', message: 'no URL' });
    expect(owner.announcer.deadline()).toBe(300 * SECOND);
    expect(owner.announcer.trackers().map(({ state }) => state)).toEqual([
      'failing',
      'disabled',
      'disabled',
    ]);
  });

  it('hands the tracker id back to the tracker that gave it', () => {
    const trackerId = Uint8Array.of(1, 2);
    const owner = new Owner([['a'], ['b']])
      .start()
      .answer('a', { ...ANSWER, trackerId })
      .to(1800);
    expect(owner.open.get('a')?.trackerId).toEqual(trackerId);
    owner.fail('a');
    expect(owner.open.get('b')?.trackerId).toBeUndefined();
    owner.answer('b').to(1815);
    owner.answer('a').to(3615);
    expect(owner.open.get('a')?.trackerId).toEqual(trackerId);
  });
});

describe('completed', () => {
  const complete = (owner: Owner) => {
    owner.announcer.complete(owner.now);
    return owner.drain();
  };

  it('is said once, at once, to every tracker that knows us', () => {
    const owner = new Owner([['a'], ['b'], ['c']], true)
      .start()
      .answer('a')
      .to(3)
      .answer('b', ANSWER);
    owner.announcer.handlePeersNeeded(owner.now, false);
    owner.to(100);
    owner.news;
    expect(complete(owner).news).toEqual(['a completed', 'b completed']);
    owner.answer('a').answer('b').to(1900);
    expect(owner.news).toEqual(['a']);
  });

  it('follows an announce that was under way', () => {
    const owner = complete(new Owner([['a']]).start());
    expect(owner.news).toEqual(['a started']);
    expect(owner.answer('a').news).toEqual(['a completed']);
    expect(owner.answer('a').to(1800).news).toEqual(['a']);
  });

  it('is not said to a tracker that first hears of us when nothing is left', () => {
    const owner = complete(new Owner([['a']]).start())
      .fail('a')
      .to(15);
    expect(owner.news).toEqual(['a started', 'a started']);
    expect(owner.answer('a').to(1815).news).toEqual(['a']);
  });

  it('is said again when it did not arrive', () => {
    const owner = complete(new Owner([['a']]).start().answer('a'))
      .fail('a')
      .to(20);
    expect(owner.news).toEqual(['a started', 'a completed', 'a completed']);
  });
});

describe('stopped', () => {
  const stop = (owner: Owner) => {
    owner.announcer.stop(owner.now);
    return owner.drain();
  };

  it('is said to the trackers that know us, with no peers wanted, and to no others', () => {
    const owner = new Owner([['a'], ['b'], ['c']]).start().fail('a').answer('b').to(10);
    owner.news;
    expect(stop(owner).news).toEqual(['b stopped']);
    expect(owner.open.get('b')?.numWant).toBe(0);
    expect(owner.announcer.isStopped).toBe(false);
    owner.fail('b');
    expect(owner.announcer.isStopped).toBe(true);
    expect(owner.to(10_000).news).toEqual([]);
  });

  it('takes the place of an announce under way', () => {
    const owner = stop(new Owner([['a']]).start().to(1));
    expect(owner.news).toEqual(['a started', 'a stopped']);
    expect(owner.cancelled).toEqual([1]);
    owner.announcer.handleResponse(owner.now, 1, ANSWER);
    expect(owner.announcer.isStopped).toBe(false);
    owner.answer('a', EMPTY);
    expect(owner.announcer.isStopped).toBe(true);
  });

  it('does not bother a tracker that never answered', () => {
    const owner = stop(new Owner([['a']]).start().to(4));
    expect(owner.news).toEqual(['a started']);
    expect(owner.announcer.isStopped).toBe(true);
  });

  it('does not bother a tracker that has forgotten us', () => {
    const owner = new Owner([['a']]).start().answer('a', { intervalSeconds: 60, peers: [PEER] });
    owner.to(60).fail('a').now = 120 * SECOND;
    owner.news;
    expect(stop(owner).news).toEqual([]);
  });

  it('lets a completed that is under way arrive first', () => {
    const owner = new Owner([['a']]).start().answer('a');
    owner.announcer.complete(owner.now);
    stop(owner.drain());
    expect(owner.news).toEqual(['a started', 'a completed']);
    expect(owner.cancelled).toEqual([]);
    expect(owner.announcer.isStopped).toBe(false);
    expect(owner.answer('a').news).toEqual(['a stopped']);
    expect(owner.answer('a', EMPTY).announcer.isStopped).toBe(true);
  });
});

describe('the announcer under random treatment', () => {
  type Step = {
    kind:
      | 'wait'
      | 'answer'
      | 'empty'
      | 'fail'
      | 'never'
      | 'need'
      | 'enough'
      | 'complete'
      | 'stop'
      | 'stray';
    n: number;
  };
  const step: fc.Arbitrary<Step> = fc.record({
    kind: fc.constantFrom(
      'wait',
      'wait',
      'answer',
      'answer',
      'empty',
      'fail',
      'fail',
      'never',
      'need',
      'enough',
      'complete',
      'stray',
      'stop',
    ),
    n: fc.nat(5000),
  });

  it('keeps its invariants', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e')), { maxLength: 4 }),
        fc.array(step, { maxLength: 60, size: 'max' }),
        fc.integer(),
        (tiers, steps, seed) => {
          const announcer = new Announcer({ tiers, random: createRandom(seed) });
          const known = new Set<string>();
          const open: AnnounceEffect[] = [];
          let now = 0;
          let stopped = false;
          const drain = () => {
            for (let effect = announcer.poll(); effect !== undefined; effect = announcer.poll()) {
              const { requestId } = effect;
              if (effect.type === 'cancel') {
                const at = open.findIndex((other) => other.requestId === requestId);
                expect(at).toBeGreaterThanOrEqual(0);
                open.splice(at, 1);
                continue;
              }
              const { url } = effect;
              expect(
                open.some((other) => other.url === url),
                'one announce a tracker at a time',
              ).toBe(false);
              if (stopped) expect(effect.event).toBe('stopped');
              else expect(effect.event === 'started').toBe(!known.has(url));
              open.push(effect);
            }
            expect(announcer.deadline(), 'no busy loop').toBeGreaterThan(now);
          };
          announcer.start(now);
          drain();
          for (const { kind, n } of steps) {
            if (kind === 'wait') {
              now =
                n % 3 === 0 && Number.isFinite(announcer.deadline())
                  ? announcer.deadline()
                  : now + n * 10;
              announcer.handleTimeout(now);
            } else if (kind === 'need' || kind === 'enough') {
              announcer.handlePeersNeeded(now, kind === 'need');
            } else if (kind === 'complete') {
              announcer.complete(now);
            } else if (kind === 'stray') {
              announcer.handleResponse(now, 1_000_000 + n, ANSWER);
              announcer.handleFailure(now, 0, REFUSED);
            } else if (kind === 'stop') {
              stopped = true;
              announcer.stop(now);
            } else if (open.length > 0) {
              const [effect] = open.splice(n % open.length, 1);
              const { requestId, url } = effect!;
              if (kind === 'answer' || kind === 'empty') {
                known.add(url);
                announcer.handleResponse(now, requestId, {
                  intervalSeconds: 60 + n,
                  peers: kind === 'empty' ? [] : [PEER],
                });
              } else {
                announcer.handleFailure(
                  now,
                  requestId,
                  kind === 'fail'
                    ? REFUSED
                    : { ...REFUSED, retryInSeconds: Number.POSITIVE_INFINITY },
                );
              }
            }
            drain();
          }
          expect(announcer.isStopped).toBe(stopped && open.length === 0);
        },
      ),
      { numRuns: 500 },
    );
  });
});
