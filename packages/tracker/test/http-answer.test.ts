import { encode } from '@bt/bencode';
import { encodeCompact, isMartian, makeEndpoint } from '@bt/endpoint';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TrackerError } from '../src/errors.ts';
import {
  encodeHttpAnnounceAnswer,
  encodeHttpFailure,
  encodeHttpScrapeAnswer,
  parseAnnounceAnswer,
  parseScrapeAnswer,
} from '../src/http-answer.ts';

const FILTER = { maxPeers: 100, trackerIsLoopback: false };
const text = (string: string) => new TextEncoder().encode(string);
const parse = (members: Parameters<typeof encode>[0], filter = FILTER) =>
  parseAnnounceAnswer(encode(members), filter);
const compact = (...endpoints: [string, number][]) =>
  Uint8Array.from(endpoints.flatMap(([address, port]) => [...encodeCompact({ address, port })]));
const code = (run: () => unknown) => {
  try {
    run();
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(TrackerError);
    return (error as TrackerError).code;
  }
};

describe('the answer to an announce', () => {
  it('BEP 23 and 7: compact peers of both families, with counts', () => {
    const answer = parse({
      complete: 3,
      incomplete: 4,
      downloaded: 5,
      interval: 900,
      'min interval': 300,
      'tracker id': 'tid',
      'warning message': 'be\r\nware',
      'external ip': Uint8Array.of(192, 0, 2, 7),
      peers: compact(['192.0.2.1', 6881], ['10.0.0.2', 51413]),
      peers6: compact(['2001:db8::1', 6881]),
    });
    expect(answer).toEqual({
      complete: 3,
      incomplete: 4,
      downloaded: 5,
      intervalSeconds: 900,
      minIntervalSeconds: 300,
      trackerId: text('tid'),
      warning: 'be ware',
      externalAddress: '192.0.2.7',
      peers: [
        { address: '192.0.2.1', port: 6881 },
        { address: '10.0.0.2', port: 51413 },
        { address: '2001:db8::1', port: 6881 },
      ],
    });
  });

  it('BEP 3: peers as dictionaries, IPv6 among them; senseless entries are passed over', () => {
    const peers = [
      { ip: '192.0.2.1', port: 1, 'peer id': 'x'.repeat(20) },
      { ip: '2001:db8:0::2', port: 2 },
      { ip: 'peer.example', port: 3 },
      { ip: '192.0.2.3' },
      { port: 4 },
      { ip: 5, port: 5 },
      { ip: '192.0.2.6', port: '6' },
      { ip: '192.0.2.7', port: -1 },
      { ip: '192.0.2.8', port: 65536 },
      { ip: '192.0.2.9', port: 0 },
      { ip: '127.0.0.1', port: 80 },
      'rubbish',
      17,
      ['192.0.2.1', 1],
    ];
    expect(parse({ interval: 60, peers }).peers).toEqual([
      { address: '192.0.2.1', port: 1 },
      { address: '2001:db8::2', port: 2 },
    ]);
  });

  it('drops martians; loopback peers are believed only of a tracker on loopback', () => {
    const peers = compact(
      ['0.0.0.0', 1],
      ['127.0.0.1', 2],
      ['224.0.0.1', 3],
      ['255.255.255.255', 4],
      ['192.0.2.1', 0],
      ['10.0.0.1', 5],
      ['169.254.1.1', 6],
      ['100.64.0.1', 7],
    );
    const peers6 = compact(['::', 1], ['::1', 2], ['ff02::1', 3], ['fe80::1', 4], ['fd00::1', 5]);
    const ports = (trackerIsLoopback: boolean) =>
      parse({ peers, peers6 }, { maxPeers: 100, trackerIsLoopback }).peers.map(({ port }) => port);
    expect(ports(false)).toEqual([5, 6, 7, 4, 5]);
    expect(ports(true)).toEqual([2, 5, 6, 7, 2, 4, 5]);
  });

  it.each([
    [-1, 60],
    [0, 60],
    [59, 60],
    [61, 61],
    [3600, 3600],
    [3601, 3600],
    [2 ** 32 - 1, 3600],
    [2 ** 40, 3600],
    ['600', 1800],
    [2n ** 70n, 1800],
    [undefined, 1800],
    [[1], 1800],
  ])('an interval of %s is taken for %d seconds', (interval, expected) => {
    expect(parse({ interval: interval as number, peers: '' }).intervalSeconds).toBe(expected);
  });

  it.each([
    [-5, undefined],
    [0, undefined],
    ['x', undefined],
    [30, 30],
    [7200, 7200],
    [2 ** 40, 86_400],
  ])('a min interval of %j is taken for %j seconds', (interval, expected) => {
    expect(parse({ 'min interval': interval, peers: '' }).minIntervalSeconds).toBe(expected);
  });

  it('keeps no more peers than allowed, and lets neither family crowd out the other', () => {
    const many = Array.from({ length: 1000 }, (_, i) => i);
    const peers = compact(...many.map((i): [string, number] => [`10.0.${i >> 8}.${i & 255}`, 1]));
    const peers6 = compact(
      ...many.map((i): [string, number] => [`2001:db8::${i.toString(16)}:1`, 1]),
    );
    const of = (members: Parameters<typeof encode>[0], maxPeers: number) => {
      const found = parse(members, { maxPeers, trackerIsLoopback: false }).peers;
      return [found.length, found.filter(({ address }) => address.includes(':')).length];
    };
    expect(of({ peers, peers6 }, 100)).toEqual([100, 50]);
    expect(of({ peers }, 100)).toEqual([100, 0]);
    expect(of({ peers6 }, 100)).toEqual([100, 100]);
    expect(of({ peers, peers6: peers6.subarray(0, 36) }, 100)).toEqual([100, 2]);
    expect(of({ peers: peers.subarray(0, 12), peers6 }, 100)).toEqual([100, 98]);
    expect(of({ peers, peers6 }, 0)).toEqual([0, 0]);
    const dicts = many.map((i) => ({ ip: `10.0.${i >> 8}.${i & 255}`, port: 1 }));
    expect(of({ peers: dicts }, 7)).toEqual([7, 0]);
  });

  it('takes unsorted keys and a line break at the end, as trackers in the wild send them', () => {
    expect(parseAnnounceAnswer(text('d5:peers0:8:intervali60ee\n'), FILTER).intervalSeconds).toBe(
      60,
    );
  });

  it('is an error when it is a failure, with the reason made readable and when to retry', () => {
    const failure = (members: Record<string, string | number>) => {
      try {
        parse(members);
      } catch (error) {
        return error as TrackerError;
      }
      return undefined;
    };
    const plain = failure({ 'failure reason': 'torrent \u001b[31mnot\r\nregistered\u202e' });
    expect(plain).toMatchObject({ code: 'tracker-failure', retryInSeconds: undefined });
    expect(plain?.message).toBe('the tracker refused: torrent [31mnot registered');
    expect(failure({ 'failure reason': 'x'.repeat(100_000) })?.message.length).toBeLessThan(300);
    expect(failure({ 'failure reason': '' })?.message).toBe('the tracker refused: no reason given');
    // BEP 31
    expect(failure({ 'failure reason': 'busy', 'retry in': 5 })?.retryInSeconds).toBe(300);
    expect(failure({ 'failure reason': 'busy', 'retry in': 2 ** 50 })?.retryInSeconds).toBe(86_400);
    expect(failure({ 'failure reason': 'gone', 'retry in': 'never' })?.retryInSeconds).toBe(
      Number.POSITIVE_INFINITY,
    );
    expect(failure({ 'failure reason': 'gone', 'retry in': -3 })?.retryInSeconds).toBeUndefined();
  });

  it('is refused when it is none', () => {
    for (const body of [
      '',
      'i1e',
      'le',
      'd',
      '4:spam',
      '<html>',
      'd8:intervali60e',
      'l'.repeat(1_000_000),
      `d1:a${'l'.repeat(100_000)}`,
    ]) {
      expect(
        code(() => parseAnnounceAnswer(text(body), FILTER)),
        body.slice(0, 20),
      ).toBe('invalid-response');
    }
    for (const length of [1, 5, 7, 17]) {
      expect(code(() => parse({ peers: new Uint8Array(length) }))).toBe('invalid-response');
      expect(code(() => parse({ peers: '', peers6: new Uint8Array(length) }))).toBe(
        'invalid-response',
      );
    }
  });

  it('ignores fields of the wrong kind', () => {
    const answer = parse({
      interval: [],
      complete: 'x',
      incomplete: -1,
      peers: 5,
      peers6: { a: 1 },
      'tracker id': 3,
      'external ip': '123',
      'warning message': 1,
    });
    expect(answer).toMatchObject({ intervalSeconds: 1800, peers: [] });
    for (const field of [
      'complete',
      'incomplete',
      'trackerId',
      'externalAddress',
      'warning',
    ] as const) {
      expect(answer[field]).toBeUndefined();
    }
    expect(parse({ 'tracker id': 'x'.repeat(257) }).trackerId).toBeUndefined();
  });

  it('of arbitrary bytes throws its typed error or is within the limits', () => {
    const member = fc.oneof(
      fc.integer(),
      fc.uint8Array({ maxLength: 40 }),
      fc.constant([]),
      fc.bigInt(),
    );
    const key = fc.constantFrom(
      'interval',
      'min interval',
      'peers',
      'peers6',
      'failure reason',
      'retry in',
      'external ip',
      'tracker id',
      'warning message',
      'complete',
    );
    const body = fc.oneof(
      fc.uint8Array(),
      fc.dictionary(key, member).map((dict) => encode(dict)),
    );
    fc.assert(
      fc.property(body, fc.nat(3), (bytes, maxPeers) => {
        let answer: ReturnType<typeof parseAnnounceAnswer>;
        try {
          answer = parseAnnounceAnswer(bytes, { maxPeers, trackerIsLoopback: true });
        } catch (error) {
          expect(error).toBeInstanceOf(TrackerError);
          return;
        }
        expect(answer.peers.length).toBeLessThanOrEqual(maxPeers);
        expect(answer.intervalSeconds).toBeGreaterThanOrEqual(60);
        expect(answer.intervalSeconds).toBeLessThanOrEqual(3600);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('our own answers', () => {
  const endpoint = fc
    .tuple(fc.oneof(fc.ipV4(), fc.ipV6()), fc.integer({ min: 1, max: 65535 }))
    .map(([address, port]) => makeEndpoint(address, port)!);
  const peerId = new Uint8Array(20).fill(7);

  it('are read back as they were, in both forms', () => {
    fc.assert(
      fc.property(
        fc.array(endpoint, { maxLength: 20 }),
        fc.boolean(),
        fc.boolean(),
        (endpoints, isCompact, noPeerId) => {
          const body = encodeHttpAnnounceAnswer(
            {
              intervalSeconds: 900,
              minIntervalSeconds: 60,
              complete: 1,
              incomplete: 2,
              downloaded: 3,
              externalAddress: Uint8Array.of(10, 0, 0, 1),
              peers: endpoints.map((e) => ({ endpoint: e, peerId })),
            },
            { compact: isCompact, noPeerId },
          );
          const answer = parseAnnounceAnswer(body, { maxPeers: 1000, trackerIsLoopback: true });
          expect(answer).toMatchObject({
            intervalSeconds: 900,
            minIntervalSeconds: 60,
            complete: 1,
            incomplete: 2,
            downloaded: 3,
            externalAddress: '10.0.0.1',
          });
          const sorted = (list: readonly object[]) => list.map((e) => JSON.stringify(e)).sort();
          const expected = endpoints.filter((e) => !isMartian(e, { tellerIsLoopback: true }));
          expect(sorted(answer.peers)).toEqual(sorted(expected));
        },
      ),
    );
  });

  it('scrapes are read back in the order asked, unknown torrents left out', () => {
    const a = new Uint8Array(20).fill(0xff);
    const b = new Uint8Array(20).fill(1);
    const body = encodeHttpScrapeAnswer([[a, { complete: 1, incomplete: 2, downloaded: 3 }]]);
    expect(parseScrapeAnswer(body, [b, a])).toEqual([
      undefined,
      { complete: 1, incomplete: 2, downloaded: 3 },
    ]);
  });

  it('failures are failures', () => {
    expect(code(() => parseAnnounceAnswer(encodeHttpFailure('no'), FILTER))).toBe(
      'tracker-failure',
    );
    expect(code(() => parseScrapeAnswer(encodeHttpFailure('no'), []))).toBe('tracker-failure');
    expect(code(() => parseScrapeAnswer(encode({}), []))).toBe('invalid-response');
  });

  it('scrape answers of arbitrary bytes throw the typed error or give one entry a hash', () => {
    const hash = new Uint8Array(20).fill(9);
    const body = fc.oneof(
      fc.uint8Array(),
      fc.constantFrom(
        encode({ files: 1 }),
        encode({ files: new Map([[hash, 1 as number | object]]) as never }),
      ),
    );
    fc.assert(
      fc.property(body, (bytes) => {
        try {
          expect(parseScrapeAnswer(bytes, [hash])).toEqual([undefined]);
        } catch (error) {
          expect(error).toBeInstanceOf(TrackerError);
        }
      }),
    );
  });
});
