import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_UNACKNOWLEDGED_SIGNALS } from '../../src/rendezvous/rendezvous-limits.ts';
import { type LaneMessage, SignalLane } from '../../src/rendezvous/signal-lane.ts';

describe('SignalLane', () => {
  it('numbers what it sends, and acknowledges with it', () => {
    const [a, b] = [new SignalLane(), new SignalLane()];
    const first = a.send({ x: 1 })!;
    expect(first).toEqual({ number: 1, acknowledged: 0, data: { x: 1 } });
    expect(b.handle(first)).toEqual({ x: 1 });
    expect(b.owesAcknowledgement).toBe(true);
    const answer = b.send({ y: 1 })!;
    expect(answer).toEqual({ number: 1, acknowledged: 1, data: { y: 1 } });
    expect(b.owesAcknowledgement).toBe(false);
    expect(a.handle(answer)).toEqual({ y: 1 });
    expect(a.hasUnacknowledged).toBe(false);
    expect(a.acknowledge()).toEqual({ number: 0, acknowledged: 1 });
    expect(a.owesAcknowledgement).toBe(false);
  });

  it('gives a repetition once, and acknowledges it again', () => {
    const [a, b] = [new SignalLane(), new SignalLane()];
    const first = a.send({ x: 1 })!;
    b.handle(first);
    b.acknowledge();
    expect(b.handle(first)).toBeUndefined();
    expect(b.owesAcknowledgement).toBe(true);
  });

  it('believes no acknowledgement of what it has not sent', () => {
    const lane = new SignalLane();
    lane.handle({ number: 0, acknowledged: 99 });
    lane.send({});
    expect(lane.hasUnacknowledged).toBe(true);
  });

  it('keeps a bounded number', () => {
    const lane = new SignalLane();
    for (let n = 0; n < MAX_UNACKNOWLEDGED_SIGNALS; n++) expect(lane.send({})).toBeDefined();
    expect(lane.send({})).toBeUndefined();
    lane.handle({ number: 0, acknowledged: 1 });
    expect(lane.send({})).toMatchObject({ number: MAX_UNACKNOWLEDGED_SIGNALS + 1 });
  });

  it('delivers everything once and in order, whatever is lost', () => {
    const step = fc.constantFrom('a sends', 'b sends', 'carry a', 'carry b', 'cut');
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const ends = { a: new SignalLane(), b: new SignalLane() };
        const wires: Record<'a' | 'b', LaneMessage[]> = { a: [], b: [] };
        const got: Record<'a' | 'b', unknown[]> = { a: [], b: [] };
        const sent = { a: 0, b: 0 };
        const carry = (from: 'a' | 'b') => {
          const to = from === 'a' ? 'b' : 'a';
          const message = wires[from].shift();
          const data = message && ends[to].handle(message);
          if (data !== undefined) got[to].push(data.n);
        };
        const cut = () => {
          for (const end of ['a', 'b'] as const) wires[end] = ends[end].resend();
        };
        for (const what of steps) {
          if (what === 'cut') cut();
          else if (what.startsWith('carry')) carry(what.endsWith('a') ? 'a' : 'b');
          else {
            const end = what.startsWith('a') ? 'a' : 'b';
            sent[end] += 1;
            wires[end].push(ends[end].send({ n: sent[end] })!);
          }
        }
        cut();
        while (wires.a.length + wires.b.length > 0) {
          carry('a');
          carry('b');
        }
        const numbers = (count: number) => Array.from({ length: count }, (_, index) => index + 1);
        expect(got).toEqual({ a: numbers(sent.b), b: numbers(sent.a) });
      }),
    );
  });
});
