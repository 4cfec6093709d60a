import { describe, expect, test } from 'vitest';
import { type WireHandler, WireSession, type WireSessionOptions } from '../src/index.ts';

const infoHash = new Uint8Array(20).fill(1);
const infoHashV2 = new Uint8Array(20).fill(2);
const features = { dht: true, fast: true, extended: true };
const pieces = { pieceCount: 10, pieceLength: 32_768 };

const session = (options: Partial<WireSessionOptions> = {}) =>
  new WireSession({
    handshake: { infoHash, peerId: new Uint8Array(20).fill(9), features },
    pieces,
    ...options,
  });

/** Notes the calls of every callback. */
function recorder(): WireHandler & { calls: unknown[][] } {
  const calls: unknown[][] = [];
  return new Proxy({ calls } as WireHandler & { calls: unknown[][] }, {
    get: (target, name) =>
      name === 'calls'
        ? target.calls
        : (...values: unknown[]) => {
            calls.push([
              name,
              ...values.map((value) => (value instanceof Uint8Array ? [...value] : value)),
            ]);
            return true;
          },
  });
}

describe('two sessions', () => {
  test('greet, declare, ask and answer', () => {
    const a = session();
    const b = session();
    const toA = recorder();
    const toB = recorder();
    const exchange = () => {
      for (let go = true; go; ) {
        const fromA = a.takeOutput();
        if (fromA) b.handleBytes(fromA, toB);
        const fromB = b.takeOutput();
        if (fromB) a.handleBytes(fromB, toA);
        go = fromA !== undefined || fromB !== undefined;
      }
    };
    a.sendHandshake();
    exchange();
    b.sendHandshake();
    exchange();
    a.haveNone();
    b.haveAll();
    b.unchoke();
    a.interested();
    exchange();
    a.request(3, 16_384, 16_384);
    exchange();
    const header = b.blockHeader(3, 16_384, 16_384);
    a.handleBytes(header, toA);
    a.handleBytes(new Uint8Array(16_384), toA);
    expect(toB.calls.map(([name]) => name)).toEqual([
      'onHandshake',
      'onHaveNone',
      'onInterested',
      'onRequest',
    ]);
    expect(toA.calls.map(([name]) => name)).toEqual([
      'onHandshake',
      'onHaveAll',
      'onUnchoke',
      'onBlockStart',
      'onBlockData',
      'onBlockEnd',
    ]);
    expect(a.features).toEqual({ dht: true, fast: true, extended: true, v2: false });
    expect(infoHashV2).toHaveLength(20);
  });
});
