import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { appendQuery, encodeUrl, redactUrl, scrapeUrl } from '../src/url.ts';

/** Text with control characters, half surrogates and everything else. */
const codeUnits = fc
  .array(fc.oneof(fc.nat(0x2100), fc.nat(0xffff)), { maxLength: 600 })
  .map((units) => String.fromCharCode(...units));

describe('encodeUrl', () => {
  it('lets no line break through', () => {
    expect(encodeUrl('http://t/announce\r\nHost: x')).toBe('http://t/announce%0D%0AHost:%20x');
    expect(encodeUrl(' http://t/a\u0000b\t\n')).toBe('http://t/a%00b');
    expect(encodeUrl('http://t/\u00fc\ud83d\ude00"<>')).toBe(
      'http://t/%C3%BC%F0%9F%98%80%22%3C%3E',
    );
  });

  it('gives printable ASCII whatever it gets, and the same again for its own result', () => {
    fc.assert(
      fc.property(codeUnits, (text) => {
        const encoded = encodeUrl(text);
        expect(encoded).toMatch(/^[!-~]*$/);
        expect(encodeUrl(encoded)).toBe(encoded);
      }),
    );
  });

  it('leaves a URL as it is', () => {
    const url = "http://user:pa%20ss@host.example:80/a/announce.php?pass=key&x=[1]#f'";
    expect(encodeUrl(url)).toBe(url);
  });
});

describe('appendQuery', () => {
  it.each([
    ['http://t/announce', 'http://t/announce?q=1'],
    ['http://t/announce?', 'http://t/announce?q=1'],
    ['http://t/announce?a=b', 'http://t/announce?a=b&q=1'],
    ['http://t/announce?a=b&', 'http://t/announce?a=b&q=1'],
    ['http://t/announce#part?x', 'http://t/announce?q=1'],
    ['http://t/announce?a#b#c', 'http://t/announce?a&q=1'],
  ])('%s', (url, expected) => {
    expect(appendQuery(url, 'q=1')).toBe(expected);
  });
});

describe('scrapeUrl', () => {
  // The examples of BEP 48.
  it.each([
    ['http://example.com/announce', 'http://example.com/scrape'],
    ['http://example.com/x/announce', 'http://example.com/x/scrape'],
    ['http://example.com/announce.php', 'http://example.com/scrape.php'],
    ['http://example.com/a', undefined],
    ['http://example.com/announce?x2%0644', 'http://example.com/scrape?x2%0644'],
    ['http://example.com/announce?x=2/4', 'http://example.com/scrape?x=2/4'],
    ['http://example.com/x%064announce', undefined],
    ['http://example.com/announce/x', undefined],
    ['http://example.com/x?y=/announce', undefined],
    ['udp://example.com:80', 'udp://example.com:80'],
  ])('%s gives %s', (announceUrl, expected) => {
    expect(scrapeUrl(announceUrl)).toBe(expected);
  });
});

describe('redactUrl', () => {
  it.each([
    ['https://user:secret@t.example:8443/passkey/announce?key=1#x', 'https://t.example:8443'],
    ['udp://t.example:80/announce', 'udp://t.example:80'],
    ['HTTP://t.example', 'http://t.example'],
    ['http://a:b@c@d.example/x', 'http://d.example'],
    ['http://[::1]:80/x', 'http://[::1]:80'],
    ['http://t.example\\secret', 'http://t.example%5Csecret'],
    ['nonsense secret', 'an unreadable URL'],
  ])('%s is shown as %s', (url, expected) => {
    expect(redactUrl(url)).toBe(expected);
  });
});
