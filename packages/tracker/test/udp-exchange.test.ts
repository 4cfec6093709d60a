import { createRandom } from '@bt/simulator';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeConnectAnswer, encodeErrorAnswer } from '../src/udp.ts';
import { UdpExchange } from '../src/udp-exchange.ts';

/** An exchange whose request is its connection id and transaction id, and whose answer is a byte 7 behind the header. */
function makeExchange(now = 0, seed = 1) {
  const random = createRandom(seed);
  return new UdpExchange<string>(now, {
    encodeRequest: (connectionId, transactionId) => {
      const bytes = new Uint8Array(20);
      const view = new DataView(bytes.buffer);
      view.setBigUint64(0, connectionId);
      view.setUint32(8, 1);
      view.setUint32(12, transactionId);
      return bytes;
    },
    decodeAnswer: (datagram) => (datagram[8] === 7 ? 'seven' : undefined),
    randomUint32: () => Math.floor(random() * 2 ** 32),
  });
}

interface Sent {
  kind: 'connect' | 'request';
  transactionId: number;
  connectionId: bigint;
}

function sent(exchange: UdpExchange<unknown>): Sent | undefined {
  const datagram = exchange.poll();
  if (datagram === undefined) return undefined;
  expect(exchange.poll()).toBeUndefined();
  const view = new DataView(datagram.buffer);
  return {
    kind: view.getUint32(8) === 0 ? 'connect' : 'request',
    transactionId: view.getUint32(12),
    connectionId: view.getBigUint64(0),
  };
}

function answer(transactionId: number, action = 1, byte = 7): Uint8Array {
  const bytes = new Uint8Array(9);
  new DataView(bytes.buffer).setUint32(0, action);
  new DataView(bytes.buffer).setUint32(4, transactionId);
  bytes[8] = byte;
  return bytes;
}

/** The times, in seconds, and kinds of what is sent until there is an outcome; `answers` says when a connect is answered. */
function transcript(
  exchange: UdpExchange<unknown>,
  answers: Record<number, bigint> = {},
  until = 8000,
) {
  const lines: string[] = [];
  const pending = Object.entries(answers).map(([at, id]) => ({ at: Number(at) * 1000, id }));
  let now = 0;
  let last = sent(exchange);
  if (last) lines.push(`0 ${last.kind}`);
  while (exchange.outcome === undefined && now < until * 1000) {
    const next = pending[0];
    if (next !== undefined && next.at <= exchange.deadline()) {
      pending.shift();
      now = next.at;
      exchange.handleDatagram(now, encodeConnectAnswer(last!.transactionId, next.id));
    } else {
      now = exchange.deadline();
      exchange.handleTimeout(now);
    }
    const datagram = sent(exchange);
    if (datagram !== undefined) {
      last = datagram;
      lines.push(`${now / 1000} ${datagram.kind}`);
    }
  }
  return lines;
}

describe('BEP 15 "Time outs"', () => {
  it('a normal exchange', () => {
    const exchange = makeExchange();
    const connect = sent(exchange)!;
    expect(connect.kind).toBe('connect');
    exchange.handleDatagram(1000, encodeConnectAnswer(connect.transactionId, 99n));
    const request = sent(exchange)!;
    expect(request).toMatchObject({ kind: 'request', connectionId: 99n });
    expect(request.transactionId).not.toBe(connect.transactionId);
    exchange.handleDatagram(2000, answer(request.transactionId));
    expect(exchange.outcome).toEqual({ type: 'answer', answer: 'seven' });
    expect(exchange.deadline()).toBe(Number.POSITIVE_INFINITY);
    expect(exchange.poll()).toBeUndefined();
  });

  it('a connect that is not answered is repeated after 15 * 2^n seconds, n to 8', () => {
    const exchange = makeExchange();
    const lines = transcript(exchange);
    expect(lines.slice(0, 4)).toEqual(['0 connect', '15 connect', '45 connect', '105 connect']);
    expect(lines).toHaveLength(9);
    expect(exchange.outcome).toMatchObject({ type: 'failure', error: { code: 'timeout' } });
  });

  it('an announce that is not answered is repeated, and connected anew when its connection id is a minute old', () => {
    // The BEP sends its announce a second after the connect answer; we do at once.
    const lines = transcript(makeExchange(), { 2: 5n }, 300);
    expect(lines).toEqual([
      '0 connect',
      '2 request',
      '17 request',
      '47 request',
      '107 connect',
      '227 connect',
      '467 connect',
    ]);
  });

  it('a repetition keeps its transaction id, so that a late answer to the first try counts', () => {
    const exchange = makeExchange();
    const first = sent(exchange)!;
    exchange.handleTimeout(14_999);
    expect(sent(exchange)).toBeUndefined();
    exchange.handleTimeout(15_000);
    expect(sent(exchange)).toEqual(first);
    exchange.handleDatagram(16_000, encodeConnectAnswer(first.transactionId, 1n));
    expect(sent(exchange)?.kind).toBe('request');
  });
});

describe('what is not believed', () => {
  it('another transaction id, action or size', () => {
    const exchange = makeExchange();
    const { transactionId } = sent(exchange)!;
    const good = encodeConnectAnswer(transactionId, 7n);
    for (const bad of [
      encodeConnectAnswer(transactionId ^ 1, 7n),
      good.subarray(0, 15),
      new Uint8Array(),
      answer(transactionId, 1),
      answer(transactionId, 2),
      encodeErrorAnswer(transactionId ^ 1, 'no'),
    ]) {
      exchange.handleDatagram(1, bad);
      expect(sent(exchange)).toBeUndefined();
      expect(exchange.outcome).toBeUndefined();
    }
    exchange.handleDatagram(1, good);
    const request = sent(exchange)!;
    exchange.handleDatagram(2, answer(transactionId));
    exchange.handleDatagram(2, answer(request.transactionId, 1, 8));
    exchange.handleDatagram(2, good);
    expect(exchange.outcome).toBeUndefined();
    expect(sent(exchange)).toBeUndefined();
  });

  it('datagrams after the end', () => {
    const exchange = makeExchange();
    const { transactionId } = sent(exchange)!;
    exchange.handleDatagram(1, encodeErrorAnswer(transactionId, 'go\naway'));
    const { outcome } = exchange;
    expect(outcome).toMatchObject({
      type: 'failure',
      error: { code: 'tracker-failure', message: 'the tracker refused: go away' },
    });
    exchange.handleDatagram(2, encodeConnectAnswer(transactionId, 7n));
    exchange.handleTimeout(1e9);
    expect(exchange.outcome).toBe(outcome);
    expect(exchange.poll()).toBeUndefined();
  });

  it('transaction ids come from the random source, a new one for each kind of request', () => {
    const ids = new Set<number>();
    for (let seed = 0; seed < 50; seed++) {
      const exchange = makeExchange(0, seed);
      const { transactionId } = sent(exchange)!;
      ids.add(transactionId);
      exchange.handleDatagram(1, encodeConnectAnswer(transactionId, 1n));
      ids.add(sent(exchange)!.transactionId);
    }
    expect(ids.size).toBe(100);
  });

  it('arbitrary datagrams and times never throw, and the deadline never lies behind', () => {
    const event = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.nat(100_000),
      fc.constantFrom('connect' as const, 'error' as const, 'answer' as const),
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40, size: 'max' }), (events) => {
        const exchange = makeExchange();
        let now = 0;
        let transactionId = sent(exchange)!.transactionId;
        for (const happening of events) {
          if (happening instanceof Uint8Array) exchange.handleDatagram(now, happening);
          else if (typeof happening === 'number') {
            now += happening;
            exchange.handleTimeout(now);
          } else if (happening === 'connect')
            exchange.handleDatagram(now, encodeConnectAnswer(transactionId, 3n));
          else if (happening === 'error')
            exchange.handleDatagram(now, encodeErrorAnswer(transactionId ^ 1, ''));
          else exchange.handleDatagram(now, answer(transactionId));
          transactionId = sent(exchange)?.transactionId ?? transactionId;
          if (typeof happening === 'number') expect(exchange.deadline()).toBeGreaterThan(now);
        }
      }),
    );
  });
});
