import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RequestLog } from '../src/request-log.ts';

type Entry = [pieceIndex: number, blockOffset: number, value: number];

function entriesOf(log: RequestLog): Entry[] {
  const entries: Entry[] = [];
  log.forEach((...entry) => {
    entries.push(entry);
  });
  return entries;
}

describe('RequestLog', () => {
  it('forgets the oldest when it is full', () => {
    const log = new RequestLog(2);
    for (const piece of [1, 2, 3]) log.push(piece, 0, piece);
    expect(entriesOf(log).map(([piece]) => piece)).toEqual([2, 3]);
    expect(log.has(1, 0)).toBe(false);
  });

  it('stays as small as its contents while the oldest is never taken and 150,000 pass', () => {
    const log = new RequestLog(2000);
    log.push(0, 0, 0);
    for (let piece = 1; piece <= 500; piece += 1) log.push(piece, 0, piece);
    const { capacity } = log;
    for (let piece = 1; piece <= 150_000; piece += 1) {
      if (log.take(piece, 0) !== piece) throw new Error(`request ${piece} is lost`);
      log.push(piece + 500, 0, piece + 500);
    }
    expect(log.length).toBe(501);
    expect(log.capacity).toBe(capacity);
    expect(capacity).toBeLessThan(2 * 501 + 22);
  });

  it('takes 2,000 equal requests out one by one', () => {
    const log = new RequestLog(2000);
    for (let i = 0; i < 2000; i += 1) log.push(7, 16_384, i);
    for (let i = 0; i < 1000; i += 1) {
      expect(log.take(7, 16_384)).toBe(1999 - i);
      expect(log.shift((_piece, _offset, value) => expect(value).toBe(i))).toBe(true);
    }
    expect(log.length).toBe(0);
    expect(log.take(7, 16_384)).toBeUndefined();
  });

  it('behaves as a plain list does', () => {
    const operation = fc.oneof(
      fc.record({ type: fc.constant('push'), piece: fc.nat(8), block: fc.nat(3) }),
      fc.record({ type: fc.constant('take'), piece: fc.nat(8), block: fc.nat(3) }),
      fc.record({ type: fc.constantFrom('shift', 'clear', 'takeUntil') }),
    );
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
        const maxLength = 40;
        const log = new RequestLog(maxLength);
        let list: Entry[] = [];
        operations.forEach((one, now) => {
          if ('piece' in one && one.type === 'push') {
            const entry: Entry = [one.piece, one.block * 16_384, now];
            log.push(...entry);
            list = [...list, entry].slice(-maxLength);
          } else if ('piece' in one) {
            const offset = one.block * 16_384;
            const index = list.findLastIndex((e) => e[0] === one.piece && e[1] === offset);
            expect(log.has(one.piece, offset)).toBe(index >= 0);
            expect(log.take(one.piece, offset)).toBe(list[index]?.[2]);
            if (index >= 0) list.splice(index, 1);
          } else if (one.type === 'shift') {
            const seen: Entry[] = [];
            expect(log.shift((...entry) => seen.push(entry))).toBe(list.length > 0);
            expect(seen).toEqual(list.splice(0, 1));
          } else if (one.type === 'takeUntil') {
            const seen: Entry[] = [];
            log.takeUntil(now - 20, (...entry) => seen.push(entry));
            expect(seen).toEqual(list.filter((entry) => entry[2] <= now - 20));
            list = list.filter((entry) => entry[2] > now - 20);
          } else {
            log.clear();
            list = [];
          }
          expect(log.length).toBe(list.length);
          expect(entriesOf(log)).toEqual(list);
        });
      }),
    );
  });
});
