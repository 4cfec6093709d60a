import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_SSDP_BYTES } from '../../src/limits.ts';
import { decodeSearchAnswer, encodeSearches } from '../../src/port-mapping/ssdp.ts';

const GATEWAY = 'urn:schemas-upnp-org:device:InternetGatewayDevice:1';
const encode = (text: string) => new TextEncoder().encode(text);
const answer = (fields: Record<string, string>, status = 'HTTP/1.1 200 OK') =>
  encode(
    [status, ...Object.entries(fields).map(([name, value]) => `${name}: ${value}`), '', ''].join(
      '\r\n',
    ),
  );

describe('SSDP', () => {
  it('UPnP 1.1, 1.3.2: searches for gateways of both versions', () => {
    const [first, second] = encodeSearches().map((bytes) => new TextDecoder().decode(bytes));
    expect(first).toBe(
      'M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: "ssdp:discover"\r\nMX: 1\r\n' +
        `ST: ${GATEWAY}\r\n\r\n`,
    );
    expect(second).toContain('InternetGatewayDevice:2\r\n');
  });

  it('UPnP 1.1, 1.3.3: reads where the description is, whatever the case of names', () => {
    const url = 'http://192.168.1.1:5000/rootDesc.xml';
    expect(decodeSearchAnswer(answer({ ST: GATEWAY, LOCATION: url }))).toBe(url);
    expect(decodeSearchAnswer(answer({ st: GATEWAY, Location: url }))).toBe(url);
  });

  it.each([
    ['another device', answer({ ST: 'upnp:rootdevice', LOCATION: 'http://a/' })],
    ['no location', answer({ ST: GATEWAY })],
    ['a failure', answer({ ST: GATEWAY, LOCATION: 'http://a/' }, 'HTTP/1.1 404 No')],
    ['a search', encodeSearches()[0]!],
    ['nothing', new Uint8Array(0)],
    ['too much', answer({ ST: GATEWAY, LOCATION: `http://a/${'x'.repeat(MAX_SSDP_BYTES)}` })],
  ])('passes over %s', (_, bytes) => {
    expect(decodeSearchAnswer(bytes)).toBeUndefined();
  });

  it('takes any bytes', () => {
    const text = fc.oneof(fc.string(), fc.constantFrom('\r\n', ':', 'ST: ', 'HTTP/1.1 200 OK'));
    fc.assert(
      fc.property(fc.array(text), fc.uint8Array(), (texts, bytes) => {
        decodeSearchAnswer(encode(texts.join('')));
        expect(decodeSearchAnswer(bytes)).toBeUndefined();
      }),
    );
  });
});
