import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  compareEndpoints,
  EndpointError,
  endpointKey,
  makeEndpoint,
  parseEndpoint,
  parseHostPort,
  printEndpoint,
} from '../src/index.ts';

const endpoint = fc
  .tuple(fc.oneof(fc.ipV4(), fc.ipV6()), fc.nat(65535))
  .map(([address, port]) => makeEndpoint(address, port)!);

describe('parseEndpoint and printEndpoint', () => {
  it('read back what they print', () => {
    fc.assert(
      fc.property(endpoint, (value) => {
        expect(parseEndpoint(printEndpoint(value))).toEqual(value);
        expect(parseHostPort(printEndpoint(value))).toEqual({
          host: value.address,
          port: value.port,
        });
      }),
    );
  });

  it('make the address canonical', () => {
    expect(parseEndpoint('[2001:DB8:0::1]:443')).toEqual({ address: '2001:db8::1', port: 443 });
    expect(parseEndpoint('[::ffff:1.2.3.4]:80')).toEqual({ address: '1.2.3.4', port: 80 });
    expect(makeEndpoint('::FFFF:10.0.0.1', 1)).toEqual({ address: '10.0.0.1', port: 1 });
  });

  it.each([
    '',
    ':',
    ':80',
    '1.2.3.4',
    '1.2.3.4:',
    '1.2.3.4:65536',
    '1.2.3.4:080',
    '1.2.3.4:+80',
    '1.2.3.4: 80',
    '1.2.3.4:8e1',
    '1.2.3:80',
    '::1:80',
    '::1',
    '[::1]',
    '[::1]:',
    '[::1]80',
    '[1.2.3.4]:80',
    '[::1:80',
    '::1]:80',
    '[[::1]]:80',
    'name:80',
    '[fe80::1%eth0]:80',
    '1.2.3.4:80 ',
    '1.2.3.4:80\n',
    '1.2.3.4:100000',
  ])('refuses %j', (text) => {
    expect(parseEndpoint(text)).toBeUndefined();
  });

  it('refuse ports that are none', () => {
    for (const port of [-1, 65536, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(makeEndpoint('1.2.3.4', port)).toBeUndefined();
    }
  });
});

describe('parseHostPort', () => {
  it.each([
    ['router.example.org:6881', { host: 'router.example.org', port: 6881 }],
    ['localhost:1', { host: 'localhost', port: 1 }],
    ['my_host.local.:80', { host: 'my_host.local.', port: 80 }],
    ['xn--bcher-kva.example:80', { host: 'xn--bcher-kva.example', port: 80 }],
    ['[::1]:80', { host: '::1', port: 80 }],
    ['4chan:80', { host: '4chan', port: 80 }],
  ])('parses %s', (text, expected) => {
    expect(parseHostPort(text)).toEqual(expected);
  });

  it.each([
    'name',
    ':80',
    'name:',
    'name:99999',
    '-a.b:80',
    'a-.b:80',
    'a..b:80',
    '.:80',
    'a b:80',
    'a/b:80',
    'a@b:80',
    '1.2.3:80',
    '1.2.3.4.5:80',
    '0x7f.1:80',
    'host.0x:80',
    '2130706433:80',
    '01.2.3.4:80',
    '::1:80',
    '[name]:80',
    `${'a'.repeat(64)}:80`,
    `${'a.'.repeat(127)}a:80`,
    'b\u00fccher:80',
    'a\r\nb:80',
    'name\n:80',
  ])('refuses %j', (text) => {
    expect(parseHostPort(text)).toBeUndefined();
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        parseHostPort(text);
        parseEndpoint(text);
      }),
    );
  });
});

describe('compareEndpoints and endpointKey', () => {
  it('order by family, address as a number, port', () => {
    const sorted = [
      '9.0.0.1:80',
      '9.0.0.1:443',
      '10.0.0.1:1',
      '[::1]:1',
      '[::1]:2',
      '[2001:db8::]:1',
    ];
    const shuffled = [...sorted].reverse().map((text) => parseEndpoint(text)!);
    expect(shuffled.sort(compareEndpoints).map(printEndpoint)).toEqual(sorted);
  });

  it('agree with each other on equality', () => {
    const near = fc
      .tuple(
        fc.constantFrom('1.1.1.1', '1.1.1.11', '::1', '::1:1', '::11'),
        fc.constantFrom(1, 11, 111),
      )
      .map(([address, port]) => makeEndpoint(address, port)!);
    fc.assert(
      fc.property(near, near, (a, b) => {
        expect(compareEndpoints(a, b) === 0).toBe(endpointKey(a) === endpointKey(b));
        expect(Math.sign(compareEndpoints(a, b))).toBe(-Math.sign(compareEndpoints(b, a)) + 0);
      }),
    );
  });

  it('throws its typed error for an address made by hand that is none', () => {
    expect(() =>
      compareEndpoints({ address: 'x', port: 1 }, { address: '::1', port: 1 }),
    ).toThrowError(EndpointError);
  });
});
