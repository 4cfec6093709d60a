import { encodeCompact, makeEndpoint } from '@bt/endpoint';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeAnnounceAnswer,
  decodeConnectAnswer,
  decodeErrorAnswer,
  decodeScrapeAnswer,
  decodeUdpHeader,
  decodeUdpRequest,
  encodeAnnounceAnswer,
  encodeAnnounceRequest,
  encodeConnectAnswer,
  encodeConnectRequest,
  encodeErrorAnswer,
  encodeScrapeAnswer,
  encodeScrapeRequest,
} from '../src/udp.ts';
import { announceRequest, REQUEST } from './requests.ts';

const hex = (bytes: Uint8Array) =>
  [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
const uint32 = fc.nat(0xffffffff);
const uint64 = fc.bigInt(0n, 2n ** 64n - 1n);
const hash = fc.uint8Array({ minLength: 20, maxLength: 20 });

describe('requests', () => {
  it('BEP 15: connect request, 16 bytes', () => {
    expect(hex(encodeConnectRequest(0xdeadbeef))).toBe(
      '0000041727101980' + '00000000' + 'deadbeef',
    );
  });

  it('BEP 15: IPv4 announce request, 98 bytes', () => {
    const bytes = encodeAnnounceRequest(0x0102030405060708n, 0xdeadbeef, {
      ...REQUEST,
      infoHash: new Uint8Array(20).fill(0xaa),
      peerId: new Uint8Array(20).fill(0xbb),
      downloadedBytes: 2 ** 40,
      leftBytes: 2,
      uploadedBytes: 3,
      event: 'started',
      numWant: 80,
      port: 6881,
    });
    expect(bytes).toHaveLength(98);
    expect(hex(bytes)).toBe(
      '0102030405060708' +
        '00000001' +
        'deadbeef' +
        'aa'.repeat(20) +
        'bb'.repeat(20) +
        '0000010000000000' +
        '0000000000000002' +
        '0000000000000003' +
        '00000002' +
        '00000000' +
        '12345678' +
        '00000050' +
        '1ae1',
    );
  });

  it('BEP 15: events none 0, completed 1, started 2, stopped 3', () => {
    const eventOf = (event: 'started' | 'completed' | 'stopped' | undefined) =>
      encodeAnnounceRequest(0n, 0, { ...REQUEST, event })[83];
    expect(
      [undefined, 'completed' as const, 'started' as const, 'stopped' as const].map(eventOf),
    ).toEqual([0, 1, 2, 3]);
  });

  it('BEP 41: path and query as options of at most 255 bytes', () => {
    const urlData = new Uint8Array(300).fill(0x2f);
    const options = encodeAnnounceRequest(0n, 0, REQUEST, urlData).subarray(98);
    expect(options).toHaveLength(304);
    expect([...options.subarray(0, 3), ...options.subarray(257, 260)]).toEqual([
      2, 255, 0x2f, 2, 45, 0x2f,
    ]);
  });

  it('are read back as they were', () => {
    fc.assert(
      fc.property(
        uint32,
        uint64,
        announceRequest,
        fc.uint8Array({ maxLength: 600 }),
        (transactionId, connectionId, request, urlData) => {
          expect(decodeUdpRequest(encodeConnectRequest(transactionId), 50)).toEqual({
            type: 'connect',
            transactionId,
          });
          expect(
            decodeUdpRequest(
              encodeAnnounceRequest(connectionId, transactionId, request, urlData),
              50,
            ),
          ).toEqual({ type: 'announce', transactionId, connectionId, request });
        },
      ),
    );
    fc.assert(
      fc.property(
        uint32,
        uint64,
        fc.array(hash, { minLength: 1, maxLength: 74 }),
        (transactionId, connectionId, infoHashes) => {
          expect(
            decodeUdpRequest(encodeScrapeRequest(connectionId, transactionId, infoHashes), 50),
          ).toEqual({ type: 'scrape', transactionId, connectionId, infoHashes });
        },
      ),
    );
  });

  it('of other programs: -1 wants the default number, counters beyond 2^53 are cut', () => {
    const bytes = encodeAnnounceRequest(0n, 0, REQUEST);
    bytes.fill(0xff, 56, 80);
    bytes.fill(0xff, 92, 96);
    expect(decodeUdpRequest(bytes, 33)).toMatchObject({
      request: { numWant: 33, leftBytes: Number.MAX_SAFE_INTEGER },
    });
  });

  it('that make no sense are dropped', () => {
    const announce = encodeAnnounceRequest(0n, 0, REQUEST);
    const wrongEvent = announce.slice();
    wrongEvent[83] = 4;
    const wrongProtocol = encodeConnectRequest(1);
    wrongProtocol[0] = 1;
    const wrongAction = announce.slice();
    wrongAction[11] = 9;
    const hashes = Array.from({ length: 75 }, () => new Uint8Array(20));
    for (const bytes of [
      wrongEvent,
      wrongProtocol,
      wrongAction,
      encodeScrapeRequest(0n, 0, []),
      encodeScrapeRequest(0n, 0, hashes),
    ]) {
      expect(decodeUdpRequest(bytes, 50)).toBeUndefined();
    }
    for (let length = 0; length < announce.length; length++)
      expect(decodeUdpRequest(announce.subarray(0, length), 50)).toBeUndefined();
  });
});

describe('answers', () => {
  it('BEP 15: connect, announce, scrape and error answers', () => {
    expect(hex(encodeConnectAnswer(0xdeadbeef, 0x0102030405060708n))).toBe(
      '00000000' + 'deadbeef' + '0102030405060708',
    );
    const announce = encodeAnnounceAnswer(
      0xdeadbeef,
      4,
      { intervalSeconds: 1800, incomplete: 1, complete: 2 },
      [{ address: '10.0.0.1', port: 80 }],
    );
    expect(hex(announce)).toBe(
      '00000001' + 'deadbeef' + '00000708' + '00000001' + '00000002' + '0a0000010050',
    );
    const scrape = encodeScrapeAnswer(0xdeadbeef, [{ complete: 1, downloaded: 2, incomplete: 3 }]);
    expect(hex(scrape)).toBe('00000002' + 'deadbeef' + '00000001' + '00000002' + '00000003');
    expect(hex(encodeErrorAnswer(0xdeadbeef, 'no'))).toBe('00000003' + 'deadbeef' + '6e6f');
  });

  it('are read back as they were', () => {
    const peer = fc
      .tuple(fc.oneof(fc.ipV4(), fc.ipV6()), fc.nat(65535))
      .map(([address, port]) => makeEndpoint(address, port)!);
    fc.assert(
      fc.property(
        uint32,
        uint32,
        uint32,
        uint32,
        fc.array(peer),
        uint64,
        (transactionId, intervalSeconds, complete, incomplete, all, connectionId) => {
          expect(decodeConnectAnswer(encodeConnectAnswer(transactionId, connectionId))).toBe(
            connectionId,
          );
          for (const family of [4, 6] as const) {
            const peers = all.filter(({ address }) => address.includes(':') === (family === 6));
            const bytes = encodeAnnounceAnswer(
              transactionId,
              family,
              { intervalSeconds, complete, incomplete },
              peers,
            );
            const compactPeers = Uint8Array.from(peers.flatMap((p) => [...encodeCompact(p)]));
            expect(decodeAnnounceAnswer(bytes, family)).toEqual({
              intervalSeconds,
              complete,
              incomplete,
              compactPeers,
            });
            expect(decodeUdpHeader(bytes)).toEqual({ action: 1, transactionId });
          }
          const entries = [{ complete, incomplete, downloaded: intervalSeconds }];
          expect(decodeScrapeAnswer(encodeScrapeAnswer(transactionId, entries), 1)).toEqual(
            entries,
          );
        },
      ),
    );
    expect(decodeErrorAnswer(encodeErrorAnswer(1, 'n\u00f6\r\nno'))).toBe('n\u00f6 no');
  });

  it('of the wrong size or action are dropped', () => {
    const announce = encodeAnnounceAnswer(
      1,
      4,
      { intervalSeconds: 1, complete: 1, incomplete: 1 },
      [],
    );
    const scrape = encodeScrapeAnswer(1, [{ complete: 1, downloaded: 2, incomplete: 3 }]);
    for (let length = 0; length < 20; length++)
      expect(decodeAnnounceAnswer(announce.subarray(0, length), 4)).toBeUndefined();
    for (const extra of [1, 5, 7])
      expect(
        decodeAnnounceAnswer(new Uint8Array([...announce, ...new Uint8Array(extra)]), 4),
      ).toBeUndefined();
    expect(
      decodeAnnounceAnswer(new Uint8Array([...announce, ...new Uint8Array(6)]), 6),
    ).toBeUndefined();
    expect(decodeScrapeAnswer(scrape, 2)).toBeUndefined();
    expect(decodeScrapeAnswer(scrape.subarray(0, 19), 1)).toBeUndefined();
    expect(decodeAnnounceAnswer(scrape, 4)).toBeUndefined();
    expect(decodeConnectAnswer(encodeConnectAnswer(1, 1n).subarray(0, 15))).toBeUndefined();
    expect(decodeConnectAnswer(scrape)).toBeUndefined();
    expect(decodeErrorAnswer(scrape)).toBeUndefined();
    expect(decodeUdpHeader(new Uint8Array(7))).toBeUndefined();
  });
});

it('no decoder throws on arbitrary bytes', () => {
  const near = fc
    .tuple(fc.constantFrom(0, 1, 2, 3), fc.uint8Array({ maxLength: 120 }))
    .map(([action, rest]) => Uint8Array.of(0, 0, 0, action, ...rest));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), near), (bytes) => {
      decodeUdpHeader(bytes);
      decodeConnectAnswer(bytes);
      decodeAnnounceAnswer(bytes, 4);
      decodeAnnounceAnswer(bytes, 6);
      decodeScrapeAnswer(bytes, 1);
      decodeErrorAnswer(bytes);
      decodeUdpRequest(bytes, 50);
    }),
    { numRuns: 1000 },
  );
});
