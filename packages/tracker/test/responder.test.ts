import type { Endpoint } from '@bt/endpoint';
import { createRandom } from '@bt/simulator';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAnnounceAnswer, parseScrapeAnswer } from '../src/http-answer.ts';
import { announceQuery, scrapeQuery } from '../src/http-query.ts';
import { Responder } from '../src/responder.ts';
import {
  decodeAnnounceAnswer,
  decodeConnectAnswer,
  decodeErrorAnswer,
  decodeScrapeAnswer,
  encodeAnnounceRequest,
  encodeConnectRequest,
  encodeScrapeRequest,
} from '../src/udp.ts';
import { REQUEST } from './requests.ts';

const FILTER = { maxPeers: 1000, trackerIsLoopback: false };
const MINUTE = 60_000;

function makeResponder(isAllowed: (infoHash: Uint8Array) => boolean = () => true) {
  const ids = new Map<string, bigint>();
  return new Responder({
    intervalSeconds: 900,
    minIntervalSeconds: 30,
    maxTorrents: 10,
    maxPeers: 2000,
    maxPeersPerTorrent: 1000,
    maxPeersPerNetwork: 1000,
    maxPeersPerNetworkAndTorrent: 1000,
    random: createRandom(3),
    isAllowed,
    connectionMac: (text) => {
      if (!ids.has(text)) ids.set(text, BigInt(ids.size) + 1000n);
      return ids.get(text)!;
    },
  });
}

const from = (n: number, family: 4 | 6 = 4): Endpoint => ({
  address: family === 4 ? `10.0.${n >> 8}.${n & 255}` : `2001:db8::${n.toString(16)}`,
  port: 40_000,
});
const http = (responder: Responder, remote: Endpoint, more = '', request = REQUEST, now = 0) =>
  responder.handleHttp(now, `/announce?${announceQuery(request)}${more}`, remote);
const connect = (responder: Responder, remote: Endpoint, now = 0) =>
  decodeConnectAnswer(responder.handleDatagram(now, encodeConnectRequest(5), remote)!)!;

describe('over HTTP', () => {
  it('lists the one who asks by the address it came from and the port it names', () => {
    const responder = makeResponder();
    const first = parseAnnounceAnswer(http(responder, from(1)).body, FILTER);
    expect(first).toMatchObject({
      intervalSeconds: 900,
      minIntervalSeconds: 30,
      incomplete: 1,
      complete: 0,
      peers: [],
      externalAddress: '10.0.0.1',
    });
    const second = parseAnnounceAnswer(http(responder, from(2)).body, FILTER);
    expect(second.peers).toEqual([{ address: '10.0.0.1', port: 6881 }]);
    expect([responder.torrentCount, responder.peerCount]).toEqual([1, 2]);
  });

  it('names seeds to who has nothing left when it begins, as aria2 with a magnet link, and to no seed later', () => {
    const responder = makeResponder();
    http(responder, from(1), '', { ...REQUEST, leftBytes: 0 });
    const ask = (event?: 'started') => {
      const request = { ...REQUEST, leftBytes: 0, ...(event && { event }) };
      return parseAnnounceAnswer(http(responder, from(2), '', request).body, FILTER).peers.length;
    };
    expect(ask('started')).toBe(1);
    expect(ask()).toBe(0);
  });

  it('believes no client about its address', () => {
    const responder = makeResponder();
    http(responder, from(1), '&ip=192.0.2.66&ipv4=192.0.2.66&ipv6=2001:db8::66');
    expect(parseAnnounceAnswer(http(responder, from(2)).body, FILTER).peers).toEqual([
      { address: '10.0.0.1', port: 6881 },
    ]);
  });

  it('answers with dictionaries and peer ids when asked to', () => {
    const responder = makeResponder();
    http(responder, from(1));
    const query = announceQuery(REQUEST).replace('compact=1&no_peer_id=1', 'compact=0');
    const { body } = responder.handleHttp(0, `/announce?${query}`, from(2));
    const text = new TextDecoder('latin1').decode(body);
    expect(text).toContain('5:peersld2:ip8:10.0.0.17:peer id20:-BT0001-abcdefghijkl4:porti6881eee');
    const noIds = responder.handleHttp(0, `/announce?${query}&no_peer_id=1`, from(2));
    expect(new TextDecoder('latin1').decode(noIds.body)).toContain(
      '5:peersld2:ip8:10.0.0.14:porti6881eee',
    );
  });

  it('gives both families their share', () => {
    const responder = makeResponder();
    for (let n = 1; n <= 300; n++) http(responder, from(n, n % 2 === 0 ? 4 : 6));
    const shares = (remote: Endpoint, numWant: number) => {
      const { peers } = parseAnnounceAnswer(
        http(responder, remote, '', { ...REQUEST, numWant }).body,
        FILTER,
      );
      return [
        peers.filter(({ address }) => !address.includes(':')).length,
        peers.filter(({ address }) => address.includes(':')).length,
      ];
    };
    expect(shares(from(2), 50)).toEqual([25, 25]);
    expect(shares(from(1, 6), 51)).toEqual([25, 26]);
    expect(shares(from(2), 100_000)).toEqual([100, 100]);
    expect(shares(from(2), 0)).toEqual([0, 0]);
  });

  it('says why it refuses', () => {
    const responder = makeResponder((infoHash) => infoHash[1] !== 12);
    const reason = (target: string) => {
      const { status, body } = responder.handleHttp(0, target, from(1));
      expect(status).toBe(200);
      return () => parseAnnounceAnswer(body, FILTER);
    };
    expect(reason(`/announce?${announceQuery(REQUEST)}`)).toThrowError(
      'torrent is not served here',
    );
    expect(reason('/announce')).toThrowError('info_hash is not 20 bytes');
    expect(reason('/scrape')).toThrowError('no info_hash');
    const many = Array.from({ length: 75 }, () => new Uint8Array(20));
    expect(reason(`/scrape?${scrapeQuery(many)}`)).toThrowError('too many info_hashes');
    expect(responder.handleHttp(0, '/', from(1)).status).toBe(404);
    expect(responder.handleHttp(0, '/announcex?', from(1)).status).toBe(404);
    expect(responder.peerCount).toBe(0);
  });

  it('gives those who stop nobody', () => {
    const responder = makeResponder();
    http(responder, from(1));
    http(responder, from(2));
    const answer = parseAnnounceAnswer(
      http(responder, from(2), '', { ...REQUEST, event: 'stopped' }).body,
      FILTER,
    );
    expect(answer).toMatchObject({ peers: [], incomplete: 1 });
  });

  it('is scraped', () => {
    const responder = makeResponder((infoHash) => infoHash[0] !== 9);
    http(responder, from(1));
    const { body } = responder.handleHttp(
      0,
      `/scrape?${scrapeQuery([new Uint8Array(20).fill(9), REQUEST.infoHash, new Uint8Array(20)])}`,
      from(2),
    );
    expect(parseScrapeAnswer(body, [REQUEST.infoHash, new Uint8Array(20)])).toEqual([
      { complete: 0, incomplete: 1, downloaded: 0 },
      undefined,
    ]);
  });
});

describe('over UDP', () => {
  it('connects, lists and answers in the family it was asked over', () => {
    const responder = makeResponder();
    http(responder, from(1));
    http(responder, from(1, 6));
    for (const family of [4, 6] as const) {
      const id = connect(responder, from(2, family));
      const reply = responder.handleDatagram(
        0,
        encodeAnnounceRequest(id, 9, REQUEST),
        from(2, family),
      )!;
      const answer = decodeAnnounceAnswer(reply, family)!;
      expect(answer.intervalSeconds).toBe(900);
      expect(answer.compactPeers).toHaveLength(family === 4 ? 6 : 18);
    }
  });

  it('fits its answers into a frame', () => {
    const responder = makeResponder();
    for (let n = 1; n <= 900; n++) http(responder, from(n, n % 2 === 0 ? 4 : 6));
    for (const [family, count] of [
      [4, 200],
      [6, 76],
    ] as const) {
      const id = connect(responder, from(1000, family));
      const request = { ...REQUEST, numWant: 2 ** 31 - 1 };
      const reply = responder.handleDatagram(
        0,
        encodeAnnounceRequest(id, 9, request),
        from(1000, family),
      )!;
      expect(reply.length).toBeLessThanOrEqual(1400);
      expect((reply.length - 20) / (family === 4 ? 6 : 18)).toBe(count);
    }
  });

  it('is scraped, with zeros for what it does not know', () => {
    const responder = makeResponder();
    http(responder, from(1));
    const id = connect(responder, from(2));
    const reply = responder.handleDatagram(
      0,
      encodeScrapeRequest(id, 9, [new Uint8Array(20), REQUEST.infoHash]),
      from(2),
    )!;
    expect(decodeScrapeAnswer(reply, 2)).toEqual([
      { complete: 0, incomplete: 0, downloaded: 0 },
      { complete: 0, incomplete: 1, downloaded: 0 },
    ]);
  });

  it('BEP 15: takes a connection id from its own address only, for one to two minutes', () => {
    const responder = makeResponder();
    const id = connect(responder, from(1), MINUTE);
    const reply = (now: number, remote: Endpoint, connectionId = id) =>
      responder.handleDatagram(now, encodeAnnounceRequest(connectionId, 9, REQUEST), remote)!;
    const isError = (bytes: Uint8Array) => decodeErrorAnswer(bytes) === 'bad connection id';
    expect(isError(reply(2 * MINUTE + 59_999, from(1)))).toBe(false);
    expect(isError(reply(MINUTE, { ...from(1), port: 9 }))).toBe(false);
    expect(isError(reply(3 * MINUTE, from(1)))).toBe(true);
    expect(isError(reply(MINUTE, from(2)))).toBe(true);
    expect(isError(reply(MINUTE, from(1), id + 1n))).toBe(true);
    expect(responder.peerCount).toBe(1);
  });

  it('sends an unverified address less than it got', () => {
    const responder = makeResponder();
    for (const datagram of [
      encodeConnectRequest(1),
      encodeAnnounceRequest(1n, 1, REQUEST),
      encodeScrapeRequest(1n, 1, [REQUEST.infoHash]),
    ]) {
      expect(responder.handleDatagram(0, datagram, from(1))!.length).toBeLessThanOrEqual(
        datagram.length,
      );
    }
  });

  it('refuses port 0, foreign torrents, and a full house', () => {
    const responder = makeResponder((infoHash) => infoHash[0] !== 9);
    const id = connect(responder, from(1));
    const error = (request: typeof REQUEST) =>
      decodeErrorAnswer(
        responder.handleDatagram(0, encodeAnnounceRequest(id, 9, request), from(1))!,
      );
    expect(error({ ...REQUEST, port: 0 })).toBe('port is 0');
    expect(error({ ...REQUEST, infoHash: new Uint8Array(20).fill(9) })).toBe(
      'torrent is not served here',
    );
    for (let n = 20; n < 30; n++) error({ ...REQUEST, infoHash: new Uint8Array(20).fill(n) });
    expect(error(REQUEST)).toBe('tracker is full');
  });

  it('forgets with time', () => {
    const responder = makeResponder();
    http(responder, from(1));
    responder.handleTimeout(1_799_999);
    expect(responder.peerCount).toBe(1);
    responder.handleTimeout(1_800_000);
    expect(responder.peerCount).toBe(0);
  });
});

it('answers anything without throwing', () => {
  const responder = makeResponder();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.string(), (datagram, text) => {
      responder.handleDatagram(0, datagram, from(1));
      responder.handleHttp(0, text, from(1));
      responder.handleHttp(0, `/announce?${text}`, from(1));
      responder.handleHttp(0, `/scrape?${text}`, from(1));
    }),
  );
});
