import { createRandom } from '@bt/simulator';
import { utf8ToBytes } from '@noble/hashes/utils.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  DATA_HEADER_BYTES,
  MAX_KEPT_BYTES,
  MAX_KEPT_MESSAGES,
  MAX_MESSAGE_BYTES,
  MAX_UNTAKEN_BYTES,
  MAX_UNTAKEN_MESSAGES,
  ReliableMessages,
} from '../../src/channel/reliable-messages.ts';

const stream = (fill: number) => new Uint8Array(8).fill(fill);
const text = (bytes: Uint8Array | undefined) =>
  bytes === undefined ? undefined : new TextDecoder().decode(bytes);
const end = (fill: number) => new ReliableMessages({ stream: stream(fill) });

/** Two ends and the channel between them, which carries frames one by one when told to. */
class Pair {
  readonly ends = [end(1), end(2)] as const;
  readonly wires: [Uint8Array[], Uint8Array[]] = [[], []];
  now = 0;

  open(): void {
    for (const one of this.ends) one.handleOpen();
  }

  close(): void {
    for (const one of this.ends) one.handleClose();
    this.wires[0].length = 0;
    this.wires[1].length = 0;
  }

  /** One frame from the end onto its wire. */
  write(from: 0 | 1): boolean {
    const frame = this.ends[from].poll(this.now);
    if (frame !== undefined) this.wires[from].push(frame);
    return frame !== undefined;
  }

  /** One frame off the wire to the other end. */
  carry(from: 0 | 1): boolean {
    const frame = this.wires[from].shift();
    if (frame === undefined) return false;
    this.ends[from === 0 ? 1 : 0].handleFrame(this.now, frame);
    return true;
  }

  take(at: 0 | 1): string | undefined {
    return text(this.ends[at].take(this.now));
  }

  /** Until nothing moves any more; what each end took. */
  settle(): [string[], string[]] {
    const taken: [string[], string[]] = [[], []];
    for (let moved = true; moved; ) {
      moved = false;
      for (const side of [0, 1] as const) {
        while (this.write(side)) moved = true;
        while (this.carry(side)) moved = true;
        for (let one = this.take(side); one !== undefined; one = this.take(side)) {
          taken[side].push(one);
          moved = true;
        }
      }
      if (!moved) {
        const due = this.ends.map((one) => one.deadline()).filter((at) => at !== undefined);
        if (due.length > 0) {
          this.now = Math.max(this.now, Math.min(...due));
          moved = true;
        }
      }
    }
    return taken;
  }
}

it('delivers what was sent before there was a channel, in order, and says so', () => {
  const pair = new Pair();
  pair.ends[0].send(utf8ToBytes('one'));
  pair.ends[0].send(utf8ToBytes('two'));
  expect(pair.ends[0].poll(0)).toBeUndefined();
  pair.open();
  expect(pair.settle()).toEqual([[], ['one', 'two']]);
  expect(pair.ends[0].isDrained).toBe(true);
});

it('needs no answer before the first message on the first channel', () => {
  const pair = new Pair();
  pair.open();
  pair.ends[0].send(utf8ToBytes('at once'));
  while (pair.write(0));
  while (pair.carry(0));
  expect(pair.take(1)).toBe('at once');
});

it('sends again what may have been lost with a channel, and the other end takes it once', () => {
  const pair = new Pair();
  pair.open();
  pair.ends[0].send(utf8ToBytes('arrived'));
  pair.ends[0].send(utf8ToBytes('lost'));
  while (pair.write(0));
  pair.carry(0); // hello
  pair.carry(0);
  expect(pair.take(1)).toBe('arrived');
  pair.close();
  pair.ends[0].send(utf8ToBytes('kept'));
  pair.open();
  expect(pair.settle()).toEqual([[], ['lost', 'kept']]);
  expect(pair.ends[0].isDrained).toBe(true);
});

it('goes on with an end that has begun another life', () => {
  const [a, b, c] = [end(1), end(2), end(3)];
  const run = (one: ReliableMessages, two: ReliableMessages, now: number) => {
    const taken: (string | undefined)[] = [];
    for (let round = 0; round < 4; round += 1) {
      for (let frame = one.poll(now); frame; frame = one.poll(now)) two.handleFrame(now, frame);
      for (let frame = two.poll(now); frame; frame = two.poll(now)) one.handleFrame(now, frame);
      for (const at of [one, two]) {
        for (let message = at.take(now); message; message = at.take(now)) taken.push(text(message));
      }
    }
    return taken;
  };
  a.handleOpen();
  b.handleOpen();
  a.send(utf8ToBytes('to b'));
  b.send(utf8ToBytes('from b'));
  expect(run(a, b, 100).sort()).toEqual(['from b', 'to b']);
  a.handleClose();
  a.send(utf8ToBytes('to c'));
  a.handleOpen();
  c.handleOpen();
  c.send(utf8ToBytes('from c'));
  expect(run(a, c, 200)).toEqual(expect.arrayContaining(['from c', 'to c']));
});

it('delivers each message once and in order, whenever channels die', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 400 }), (seed, steps) => {
      const random = createRandom(seed);
      const pair = new Pair();
      const sent: [string[], string[]] = [[], []];
      const taken: [string[], string[]] = [[], []];
      let isOpen = false;
      for (let step = 0; step < steps; step += 1) {
        const side = random() < 0.5 ? 0 : 1;
        const choice = random();
        pair.now += Math.floor(random() * 10);
        if (choice < 0.3) {
          const message = `${side} ${sent[side].length}`;
          if (pair.ends[side].send(utf8ToBytes(message))) sent[side].push(message);
        } else if (choice < 0.55) pair.write(side);
        else if (choice < 0.8) pair.carry(side);
        else if (choice < 0.93) {
          const message = pair.take(side);
          if (message !== undefined) taken[side].push(message);
        } else if (isOpen) {
          pair.close();
          isOpen = false;
        } else {
          pair.open();
          isOpen = true;
        }
      }
      if (!isOpen) pair.open();
      const rest = pair.settle();
      expect([...taken[0], ...rest[0]]).toEqual(sent[1]);
      expect([...taken[1], ...rest[1]]).toEqual(sent[0]);
      expect(pair.ends.every((one) => one.isDrained)).toBe(true);
    }),
  );
});

describe('limits', () => {
  it('keeps no more than its bytes and its messages', () => {
    const big = end(1);
    let count = 0;
    while (big.send(new Uint8Array(MAX_MESSAGE_BYTES))) count += 1;
    expect(count).toBe(Math.floor(MAX_KEPT_BYTES / (MAX_MESSAGE_BYTES + 64)));
    expect(big.keptBytes).toBeLessThanOrEqual(MAX_KEPT_BYTES);
    const many = end(1);
    while (many.send(new Uint8Array(0)));
    expect(many.keptMessages).toBe(MAX_KEPT_MESSAGES);
  });

  it('refuses a message that is too long', () => {
    expect(() => end(1).send(new Uint8Array(MAX_MESSAGE_BYTES + 1))).toThrow(
      expect.objectContaining({ code: 'invalid-argument' }),
    );
  });

  it('has no more on its way than the other end takes, and goes on when that takes some', () => {
    const pair = new Pair();
    pair.open();
    while (pair.ends[0].send(new Uint8Array(MAX_MESSAGE_BYTES)));
    while (pair.write(0));
    const onItsWay = pair.wires[0].length - 1;
    expect(onItsWay).toBe(MAX_UNTAKEN_BYTES / MAX_MESSAGE_BYTES);
    while (pair.carry(0));
    expect(pair.write(0)).toBe(false);
    for (let i = 0; i < 2; i += 1) pair.take(1);
    while (pair.write(1));
    while (pair.carry(1));
    while (pair.write(0));
    expect(pair.wires[0]).toHaveLength(2);
  });

  it('ends with who sends more than it may', () => {
    for (const lengthBytes of [MAX_MESSAGE_BYTES, 0]) {
      const victim = end(1);
      const attacker = end(2);
      attacker.handleOpen();
      victim.handleOpen();
      victim.handleFrame(0, attacker.poll(0)!);
      const most = lengthBytes === 0 ? MAX_UNTAKEN_MESSAGES : MAX_UNTAKEN_BYTES / lengthBytes;
      const data = (number: number) => {
        const frame = new Uint8Array(DATA_HEADER_BYTES + lengthBytes);
        frame[0] = 2;
        frame[5] = number >> 8;
        frame[6] = number & 255;
        return frame;
      };
      for (let number = 0; number < most; number += 1) victim.handleFrame(0, data(number));
      expect(() => victim.handleFrame(0, data(most))).toThrow(
        expect.objectContaining({ code: 'invalid-message' }),
      );
    }
  });
});

describe('frames that are none', () => {
  it('throws nothing but invalid-message, and takes nothing from them', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 }), (frames) => {
        const one = end(1);
        one.handleOpen();
        for (const frame of frames) {
          try {
            one.handleFrame(0, frame);
          } catch (error) {
            expect(error).toMatchObject({ code: 'invalid-message' });
          }
        }
        expect(one.poll(0)).toBeDefined();
      }),
    );
  });

  const hello = (() => {
    const one = end(2);
    one.handleOpen();
    return one.poll(0)!;
  })();

  it.each([
    ['data before a hello', [Uint8Array.of(2, 0, 0, 0, 0, 0, 0)]],
    ['a hello cut short', [hello.subarray(1)]],
    ['a message that leaves one out', [hello, Uint8Array.of(2, 0, 0, 0, 0, 0, 1)]],
    ['a message taken that was never sent', [hello, Uint8Array.of(3, 0, 0, 0, 0, 0, 1)]],
    ['an empty frame', [new Uint8Array(0)]],
    ['a data frame without its number', [hello, Uint8Array.of(2, 0, 0)]],
  ])('%s', (_, frames) => {
    const one = end(1);
    one.handleOpen();
    const last = frames.at(-1)!;
    for (const frame of frames.slice(0, -1)) one.handleFrame(0, frame);
    expect(() => one.handleFrame(0, last)).toThrow(
      expect.objectContaining({ code: 'invalid-message' }),
    );
  });
});
