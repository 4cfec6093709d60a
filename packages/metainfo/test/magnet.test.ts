import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  formatMagnet,
  fromHex,
  type Magnet,
  type MagnetInput,
  MetainfoError,
  parseMagnet,
  selectedFilesOf,
  toHex,
} from '../src/index.ts';

const V1 = 'c9e15763f722f23e98a29decdfae341b98d53056';
const V2 = 'caf1e1c30e81cb361b9ee167c4aa64228a7fa4fa9f6105232b28ad099f3a302e';

function refusal(uri: string): MetainfoError {
  try {
    parseMagnet(uri);
  } catch (error) {
    if (error instanceof MetainfoError) return error;
    throw error;
  }
  throw new Error(`accepted: ${uri.slice(0, 200)}`);
}

describe('parseMagnet', () => {
  test('reads every parameter of a link', () => {
    const magnet = parseMagnet(
      `magnet:?xt=urn:btih:${V1}&xt=urn:btmh:1220${V2}&dn=A+b%20c&xl=12345&` +
        'tr=udp%3A%2F%2Ftracker.example%3A6969&tr.1=http://t.example/announce?a=1%26b=2&' +
        'ws=https://seed.example/a+b/&x.pe=10.0.0.1:6881&x.pe=[2001:db8::1]:1&x.pe=peer.example:80&' +
        'so=4-6,0,2,5-7&kt=ignored&tr=ftp://no',
    );
    expect(toHex(magnet.infoHashV1!)).toBe(V1);
    expect(toHex(magnet.infoHashV2!)).toBe(V2);
    expect(magnet).toMatchObject({
      name: 'A b c',
      lengthBytes: 12345,
      trackers: ['udp://tracker.example:6969', 'http://t.example/announce?a=1&b=2'],
      webSeeds: ['https://seed.example/a+b/'],
      peers: [
        { host: '10.0.0.1', port: 6881 },
        { host: '2001:db8::1', port: 1 },
        { host: 'peer.example', port: 80 },
      ],
      selectedFiles: [
        { first: 0, last: 0 },
        { first: 2, last: 2 },
        { first: 4, last: 7 },
      ],
    });
  });

  test('reads base32 hashes (RFC 4648, either case) and percent-encoded topics', () => {
    const zeros = parseMagnet(`magnet:?xt=urn:btih:${'A'.repeat(32)}`);
    expect(zeros.infoHashV1).toEqual(new Uint8Array(20));
    const ones = parseMagnet(`MAGNET:?xt=urn:btih:${'7'.repeat(32)}`);
    expect(ones.infoHashV1).toEqual(new Uint8Array(20).fill(255));
    // The encoding of "foobarfoobarfoobarfo": five groups of RFC 4648 section 10 at a time.
    const text = parseMagnet('magnet:?xt=urn%3Abtih%3AMZXW6YTBOJTG633CMFZGM33PMJQXEZTP');
    expect(new TextDecoder().decode(text.infoHashV1)).toBe('foobarfoobarfoobarfo');
    expect(parseMagnet('magnet:?xt=urn:btih:mzxw6ytbojtg633cmfzgm33pmjqxeztp').infoHashV1).toEqual(
      text.infoHashV1,
    );
  });

  test.each([undefined, null, new Uint8Array(3)])('%j is the mistake of the caller', (value) => {
    expect(() => parseMagnet(value as unknown as string)).toThrow(
      expect.objectContaining({ name: 'MetainfoError', code: 'invalid-argument' }),
    );
  });

  test('reads a mutable torrent (BEP 46) without any info-hash', () => {
    const magnet = parseMagnet(`magnet:?xs=urn:btpk:${V2}&s=00ff`);
    expect(toHex(magnet.publicKey!)).toBe(V2);
    expect(magnet.salt).toEqual(Uint8Array.of(0, 255));
  });

  test.each([
    ['39 digits', `urn:btih:${V1.slice(1)}`],
    ['41 digits', `urn:btih:${V1}0`],
    ['a letter that is no hex digit', `urn:btih:g${V1.slice(1)}`],
    ['a plus sign', `urn:btih:+${V1.slice(1)}`],
    ['a space behind', `urn:btih:${V1}%20`],
    ['broken percent signs', 'urn:btih:%%%zz'],
    ['nothing', 'urn:btih:'],
    ['31 base32 characters', `urn:btih:${'A'.repeat(31)}`],
    ['base32 with a 1', `urn:btih:1${'A'.repeat(31)}`],
    ['a v2 hash of another kind', `urn:btmh:1320${V2}`],
    ['a v2 hash without its prefix', `urn:btmh:${V2}`],
    ['a v2 hash that is short', `urn:btmh:1220${V2.slice(2)}`],
    ['a kind that is not BitTorrent', `urn:sha1:${V1}`],
  ])('M10: refuses a topic with %s', (_, topic) => {
    expect(refusal(`magnet:?xt=${topic}`)).toMatchObject({ code: 'invalid-magnet', field: 'xt' });
  });

  test('M10: refuses what is no magnet link, names two torrents or selects nonsense', () => {
    for (const uri of ['', 'magnet:', 'http://x/?xt=urn:btih:1', 'magnet:?', 'magnet:?dn=a']) {
      expect(refusal(uri).code).toBe('invalid-magnet');
    }
    const other = V1.replace('c', 'd');
    expect(refusal(`magnet:?xt=urn:btih:${V1}&xt=urn:btih:${other}`).field).toBe('xt');
    expect(parseMagnet(`magnet:?xt=urn:btih:${V1}&xt=urn:btih:${V1.toUpperCase()}`)).toBeDefined();
    expect(refusal('magnet:?xs=urn:btpk:00').field).toBe('xs');
    for (const so of ['', '1-', '-1', '3-2', 'a', '1,,2', '2147483648', '1e3']) {
      expect(refusal(`magnet:?xt=urn:btih:${V1}&so=${so}`).field).toBe('so');
    }
    const many = Array.from({ length: 10_001 }, (_, index) => index * 2).join(',');
    expect(refusal(`magnet:?xt=urn:btih:${V1}&so=${many}`).field).toBe('so');
  });

  test('reads the salt of a key, and refuses one that can not be', () => {
    const start = `magnet:?xs=urn:btpk:${V2}`;
    expect(parseMagnet(`${start}&s=${'ab'.repeat(64)}`).salt).toHaveLength(64);
    for (const salt of ['news', 'abc', '0x00', 'ab'.repeat(65)]) {
      for (const link of [`${start}&s=${salt}`, `magnet:?s=${salt}&xs=urn:btpk:${V2}`]) {
        expect(refusal(link)).toMatchObject({ code: 'invalid-magnet', field: 's' });
      }
    }
    // Without a key it is none of ours.
    expect(parseMagnet(`magnet:?xt=urn:btih:${V1}&s=news`).salt).toBeUndefined();
  });

  test('M10: bounds what a link can hold', () => {
    const start = `magnet:?xt=urn:btih:${V1}`;
    expect(refusal(start + 'a'.repeat(300_000)).code).toBe('limit-exceeded');
    const trackers = Array.from({ length: 2000 }, (_, index) => `&tr=udp://t${index}.example:1`);
    expect(parseMagnet(start + trackers.join('')).trackers).toHaveLength(200);
    const peers = Array.from({ length: 2000 }, (_, index) => `&x.pe=10.0.0.1:${index + 1}`);
    expect(parseMagnet(start + peers.join('')).peers).toHaveLength(200);
    expect(parseMagnet(`${start}&dn=${'n'.repeat(200_000)}`).name!.length).toBeLessThan(300);
  });

  test('ignores what it can not use', () => {
    const magnet = parseMagnet(
      `magnet:?xt=urn:btih:${V1}&xt=urn:tree:tiger:ABC&tr=&tr=javascript:x&tr=http://a%0d%0ab/&` +
        'ws=udp://a&x.pe=1.2.3.4&x.pe=1.2.3.4:0&x.pe=1.2.3.4:70000&x.pe=::1:5&xl=-5&xl=1e9&s=zz&&=&a',
    );
    expect(magnet).toEqual({
      infoHashV1: fromHex(V1),
      trackers: [],
      webSeeds: [],
      peers: [],
    });
  });

  test('shows a name without control characters or reversed writing', () => {
    const { name } = parseMagnet(`magnet:?xt=urn:btih:${V1}&dn=%1b[2J%E2%80%AEgpj.exe%ff`);
    expect(name).toBe('\\u001b[2J\\u202egpj.exe\ufffd');
  });

  test('any text is a magnet link or a MetainfoError', () => {
    const near = fc
      .tuple(
        fc.constantFrom('xt=urn:btih:', 'xt=urn:btmh:1220', 'so=', 'dn=', 'tr=', 'x.pe=', 'xs='),
        fc.string({ unit: 'binary' }),
      )
      .map(([key, value]) => `&${key}${value}`);
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.array(near), (rest, parameters) => {
        for (const uri of [
          rest,
          `magnet:?${rest}`,
          `magnet:?xt=urn:btih:${V1}${parameters.join('')}`,
        ]) {
          try {
            parseMagnet(uri);
          } catch (error) {
            expect(error).toBeInstanceOf(MetainfoError);
          }
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe('formatMagnet', () => {
  const hash = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
  const url = fc.webUrl({ withQueryParameters: true });
  const magnets: fc.Arbitrary<Magnet> = fc
    .record(
      {
        infoHashV1: hash(20),
        infoHashV2: hash(32),
        publicKey: hash(32),
        salt: fc.uint8Array({ maxLength: 64 }),
        // Without U+061C, which is shown escaped.
        name: fc.stringMatching(/^[!-~][ -~\u00e0-\u061b\u061d-\u0fff]{0,50}[!-~]$/),
        lengthBytes: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
        trackers: fc.uniqueArray(url, { maxLength: 5 }),
        webSeeds: fc.uniqueArray(url, { maxLength: 5 }),
        peers: fc.uniqueArray(
          fc.record({
            host: fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain()),
            port: fc.integer({ min: 1, max: 65535 }),
          }),
          { maxLength: 5, selector: ({ host, port }) => `${host} ${port}` },
        ),
        selectedFiles: fc
          .uniqueArray(fc.nat({ max: 10_000 }), { minLength: 1 })
          .map((starts) =>
            starts
              .sort((a, b) => a - b)
              .map((start) => ({ first: start * 10, last: start * 10 + (start % 8) })),
          ),
      },
      { requiredKeys: ['infoHashV2', 'trackers', 'webSeeds', 'peers'] },
    )
    // Without a key a salt means nothing.
    .map(({ salt, ...magnet }) => ({ ...magnet, ...(magnet.publicKey && salt && { salt }) }))
    .map((magnet) => magnet as Magnet);

  test('writes what parseMagnet reads back', () => {
    fc.assert(
      fc.property(magnets, (magnet) => {
        expect(parseMagnet(formatMagnet(magnet))).toEqual(magnet);
      }),
    );
  });

  test('writes the shortest form', () => {
    expect(formatMagnet({ infoHashV1: fromHex(V1)! })).toBe(`magnet:?xt=urn:btih:${V1}`);
    expect(
      formatMagnet({
        infoHashV1: fromHex(V1)!,
        infoHashV2: fromHex(V2)!,
        name: 'a b&c',
        trackers: ['http://t.example/a'],
        peers: [{ host: '::1', port: 9 }],
        selectedFiles: [
          { first: 1, last: 1 },
          { first: 3, last: 5 },
        ],
      }),
    ).toBe(
      `magnet:?xt=urn:btih:${V1}&xt=urn:btmh:1220${V2}&dn=a%20b%26c&` +
        'tr=http%3A%2F%2Ft.example%2Fa&x.pe=[::1]:9&so=1,3-5',
    );
  });

  test('refuses to write a link that names nothing', () => {
    const inputs: MagnetInput[] = [
      {},
      { infoHashV1: new Uint8Array(19) },
      { infoHashV2: new Uint8Array(20) },
      { publicKey: new Uint8Array(31) },
    ];
    for (const input of inputs) {
      expect(() => formatMagnet(input)).toThrow(
        expect.objectContaining({ code: 'invalid-argument' }),
      );
    }
  });
});

describe('the files that a link selects', () => {
  const selected = (so: string, count: number) =>
    selectedFilesOf(parseMagnet(`magnet:?xt=urn:btih:${V1}${so}`), count);

  test('are those of its ranges that there are', () => {
    expect(selected('&so=4-6,0,2', 6)).toEqual([0, 2, 4, 5]);
    expect(selected('&so=7-2147483647', 6)).toEqual([]);
  });

  test('are all where it selects none', () => {
    expect(selected('', 6)).toBeUndefined();
  });
});
