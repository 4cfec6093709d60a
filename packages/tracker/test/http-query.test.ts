import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  announceQuery,
  buildAnnounceUrl,
  buildScrapeUrl,
  parseAnnounceQuery,
  parseScrapeQuery,
  scrapeQuery,
} from '../src/http-query.ts';
import { announceRequest, REQUEST } from './requests.ts';

describe('the query of an announce', () => {
  it('BEP 3, 7, 23: every field', () => {
    const query = announceQuery({
      ...REQUEST,
      infoHash: new TextEncoder().encode('\u0000 %&=+/:~-_.aZ09\u007f\u0080?'),
      peerId: new TextEncoder().encode('-BT0001-abcdefghijkl'),
      uploadedBytes: 1,
      downloadedBytes: 2,
      leftBytes: 2 ** 53 - 1,
      event: 'started',
      numWant: 7,
      key: 0xabc,
      trackerId: Uint8Array.of(0x26, 0xff),
      ipv4: '192.0.2.1',
      ipv6: '2001:db8::1',
    });
    expect(query.split('&')).toEqual([
      'info_hash=%00%20%25%26%3D%2B%2F%3A~-_.aZ09%7F%C2%80%3F',
      'peer_id=-BT0001-abcdefghijkl',
      'port=6881',
      'uploaded=1',
      'downloaded=2',
      'left=9007199254740991',
      'compact=1',
      'no_peer_id=1',
      'numwant=7',
      'key=00000abc',
      'event=started',
      'trackerid=%26%FF',
      'ipv4=192.0.2.1',
      'ipv6=2001%3Adb8%3A%3A1',
    ]);
  });

  it('is read back as it was', () => {
    fc.assert(
      fc.property(announceRequest, (request) => {
        expect(parseAnnounceQuery(announceQuery(request), 50)).toEqual({
          request,
          compact: true,
          noPeerId: true,
        });
      }),
    );
  });

  it('goes behind the query that a private tracker has', () => {
    expect(buildAnnounceUrl('http://t/announce?passkey=x', REQUEST)).toMatch(
      /^http:\/\/t\/announce\?passkey=x&info_hash=%/,
    );
  });

  it('takes what other clients send or leave out', () => {
    const ids = `info_hash=${'a'.repeat(20)}&peer_id=${'b'.repeat(20)}`;
    expect(parseAnnounceQuery(`${ids}&port=80`, 30)).toEqual({
      request: {
        infoHash: new Uint8Array(20).fill(97),
        peerId: new Uint8Array(20).fill(98),
        port: 80,
        uploadedBytes: 0,
        downloadedBytes: 0,
        leftBytes: 1,
        event: undefined,
        numWant: 30,
        key: 0,
      },
      compact: true,
      noPeerId: false,
    });
    const odd = parseAnnounceQuery(
      `&&x&=y&${ids}&port=80&numwant=-1&left=x&event=paused&key=not-hex&compact=0&compact=1&uploaded=1e3`,
      30,
    );
    expect(odd).toMatchObject({
      compact: false,
      request: { numWant: 30, leftBytes: 1, uploadedBytes: 0, event: undefined, key: 0 },
    });
  });

  it.each([
    ['', 'info_hash is not 20 bytes'],
    [`info_hash=${'a'.repeat(19)}`, 'info_hash is not 20 bytes'],
    [`info_hash=${'a'.repeat(19)}%`, 'info_hash is not 20 bytes'],
    [`info_hash=${'a'.repeat(20)}&peer_id=b`, 'peer_id is not 20 bytes'],
    [`info_hash=${'a'.repeat(20)}&peer_id=${'b'.repeat(20)}`, 'port is not 1 to 65535'],
    [`info_hash=${'a'.repeat(20)}&peer_id=${'b'.repeat(20)}&port=0`, 'port is not 1 to 65535'],
    [`info_hash=${'a'.repeat(20)}&peer_id=${'b'.repeat(20)}&port=65536`, 'port is not 1 to 65535'],
  ])('refuses %j', (query, reason) => {
    expect(parseAnnounceQuery(query, 50)).toBe(reason);
  });

  it('never throws', () => {
    const part = fc.oneof(
      fc.string(),
      fc.constantFrom('&', '=', 'info_hash', 'peer_id', 'port', '%', '%00', 'a'.repeat(20)),
    );
    fc.assert(
      fc.property(fc.array(part), (parts) => {
        parseAnnounceQuery(parts.join(''), 50);
        parseScrapeQuery(parts.join(''));
      }),
    );
  });
});

describe('the query of a scrape', () => {
  it('is read back as it was', () => {
    const hash = fc.uint8Array({ minLength: 20, maxLength: 20 });
    fc.assert(
      fc.property(fc.array(hash, { minLength: 1, maxLength: 5 }), (hashes) => {
        expect(parseScrapeQuery(scrapeQuery(hashes))).toEqual(hashes);
      }),
    );
  });

  it('refuses none, and odd ones', () => {
    expect(parseScrapeQuery('')).toBe('no info_hash');
    expect(parseScrapeQuery(`info_hash=${'a'.repeat(20)}&info_hash=b`)).toBe(
      'info_hash is not 20 bytes',
    );
  });

  it('BEP 48: goes to the scrape URL, if there is one', () => {
    expect(buildScrapeUrl('http://t/announce?k=1', [REQUEST.infoHash])).toMatch(
      /^http:\/\/t\/scrape\?k=1&info_hash=/,
    );
    expect(buildScrapeUrl('http://t/a', [REQUEST.infoHash])).toBeUndefined();
  });
});
