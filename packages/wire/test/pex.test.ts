import { encode } from '@bt/bencode';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodePex,
  encodePex,
  MAX_PEX_PEERS,
  PEX_FLAG,
  type PexMessage,
  WireError,
} from '../src/index.ts';

const remote = expect.objectContaining({ code: 'bad-extended', fault: 'remote' });
const local = expect.objectContaining({ code: 'invalid-argument', fault: 'local' });
const afar = { tellerIsLoopback: false };
const here = { tellerIsLoopback: true };

const v4 = { address: '203.0.113.9', port: 6881 };
const v6 = { address: '2001:db8::1', port: 80 };

/** Compact entries for 10.x.x.x, port 1. */
const compact = (count: number) =>
  Uint8Array.from({ length: count * 6 }, (_, i) => {
    const n = Math.floor(i / 6);
    return [10, n >> 16, (n >> 8) & 255, n & 255, 0, 1][i % 6]!;
  });

describe('ut_pex', () => {
  test('has the fields of BEP 11', () => {
    const message: PexMessage = {
      added: [
        { ...v6, flags: PEX_FLAG.utp },
        { ...v4, flags: PEX_FLAG.seed | PEX_FLAG.reachable },
      ],
      dropped: [{ address: '10.0.0.1', port: 1 }],
    };
    const bytes = encodePex(message);
    const ip6 = Uint8Array.of(0x20, 1, 0xd, 0xb8, ...new Array(11).fill(0), 1, 0, 80);
    expect(bytes).toEqual(
      encode({
        added: Uint8Array.of(203, 0, 113, 9, 0x1a, 0xe1),
        'added.f': Uint8Array.of(0x12),
        added6: ip6,
        'added6.f': Uint8Array.of(4),
        dropped: Uint8Array.of(10, 0, 0, 1, 0, 1),
        dropped6: '',
      }),
    );
    expect(decodePex(bytes, afar)).toEqual({
      added: [message.added[1], message.added[0]],
      dropped: message.dropped,
    });
  });

  test('round trips', () => {
    const endpoint = fc
      .tuple(fc.nat(200), fc.integer({ min: 1, max: 65_535 }), fc.boolean())
      .map(([n, port, six]) => ({ address: six ? `2001:db8::1:${n}` : `10.0.0.${n}`, port }));
    const peer = fc.tuple(endpoint, fc.nat(31)).map(([e, flags]) => ({ ...e, flags }));
    const unique = { selector: (e: { address: string }) => e.address, maxLength: 50 };
    const message = fc.record({
      added: fc.uniqueArray(peer, unique),
      dropped: fc.uniqueArray(endpoint, unique),
    });
    const sorted = (list: readonly { address: string }[]) =>
      list.toSorted((a, b) => (a.address < b.address ? -1 : 1));
    fc.assert(
      fc.property(message, (sent) => {
        const got = decodePex(encodePex(sent), afar);
        expect(sorted(got.added)).toEqual(sorted(sent.added));
        expect(sorted(got.dropped)).toEqual(sorted(sent.dropped));
      }),
    );
  });

  test('keeps 50 of each, once, and looks at few more', () => {
    const flood = decodePex(encode({ added: compact(60_000), dropped: compact(51) }), afar);
    expect([flood.added.length, flood.dropped.length]).toEqual([MAX_PEX_PEERS, MAX_PEX_PEERS]);
    const both = decodePex(
      encode({ added: compact(50), added6: new Uint8Array(18).fill(32) }),
      afar,
    );
    expect(both.added).toHaveLength(50);
    const same = Uint8Array.from({ length: 60 }, (_, i) => compact(1)[i % 6]!);
    expect(decodePex(encode({ added: same }), afar).added).toEqual([
      { address: '10.0.0.0', port: 1, flags: 0 },
    ]);
    const late = new Uint8Array(6 * 100_000);
    late.set(compact(2).subarray(6), late.length - 6);
    expect(decodePex(encode({ added: late }), afar).added).toEqual([]);
  });

  test('drops what can be no peer', () => {
    const added = Uint8Array.of(
      ...[10, 0, 0, 1, 0, 0], // port 0
      ...[0, 0, 0, 0, 0, 1], // unspecified
      ...[224, 0, 0, 1, 0, 1], // multicast
      ...[255, 255, 255, 255, 0, 1], // broadcast
      ...[127, 0, 0, 1, 0, 1], // loopback
      ...[192, 168, 0, 1, 0, 1], // private: may be a neighbour
    );
    const addresses = (options: typeof here) =>
      decodePex(encode({ added }), options).added.map(({ address }) => address);
    expect(addresses(afar)).toEqual(['192.168.0.1']);
    expect(addresses(here)).toEqual(['127.0.0.1', '192.168.0.1']);
  });

  test('broken lists and flags are as if absent', () => {
    const added = compact(2);
    expect(decodePex(encode({ added: new Uint8Array(7), dropped: 3, added6: [] }), afar)).toEqual({
      added: [],
      dropped: [],
    });
    for (const flags of [new Uint8Array(1), new Uint8Array(3), 7]) {
      const message = decodePex(encode({ added, 'added.f': flags }), afar);
      expect(message.added.map((peer) => peer.flags)).toEqual([0, 0]);
    }
    expect(decodePex(encode({}), afar)).toEqual({ added: [], dropped: [] });
  });

  test('does not send more than 50, nor what is no endpoint', () => {
    const many = Array.from({ length: 51 }, (_, i) => ({
      address: `10.0.0.${i}`,
      port: 1,
      flags: 0,
    }));
    expect(() => encodePex({ added: many, dropped: [] })).toThrow(local);
    expect(() => encodePex({ added: [], dropped: many })).toThrow(local);
    expect(() => encodePex({ added: [], dropped: [{ address: 'host', port: 1 }] })).toThrow(local);
    expect(() => encodePex({ added: [], dropped: [{ ...v4, port: -1 }] })).toThrow(local);
    expect(decodePex(encodePex({ added: many.slice(1), dropped: [] }), afar).added).toHaveLength(
      50,
    );
  });

  test('arbitrary bytes give a message or a WireError', () => {
    const valid = encodePex({ added: [{ ...v4, flags: 1 }], dropped: [v6] });
    const mutated = fc.tuple(fc.nat(), fc.nat(255)).map(([at, byte]) => {
      const bytes = valid.slice();
      bytes[at % bytes.length] = byte;
      return bytes;
    });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), mutated), (bytes) => {
        try {
          const { added, dropped } = decodePex(bytes, afar);
          for (const { port } of [...added, ...dropped]) expect(port).toBeGreaterThan(0);
        } catch (error) {
          if (!(error instanceof WireError)) throw error;
          expect(error).toEqual(remote);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
