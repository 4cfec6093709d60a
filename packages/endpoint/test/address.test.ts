import { isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addressFamily,
  EndpointError,
  parseAddress,
  parseAddressInto,
  printAddress,
  printAddressAt,
} from '../src/index.ts';

const canonical = (text: string): string | undefined => {
  const bytes = parseAddress(text);
  return bytes === undefined ? undefined : printAddress(bytes);
};

/** Text that is nearly an address, which arbitrary strings never are. */
const nearAddress = fc.oneof(
  fc.ipV4(),
  fc.ipV6(),
  fc.string({ unit: fc.constantFrom(...'0123456789abF:.:.::% []x'), maxLength: 42 }),
  fc
    .array(
      fc.oneof(
        fc.constantFrom('', '0', '00', 'ffff', 'g', '12345', '1.2.3.4', '256'),
        fc.nat(70_000).map((n) => n.toString(16)),
      ),
      { maxLength: 10 },
    )
    .map((groups) => groups.join(':')),
  fc
    .array(fc.oneof(fc.nat(300).map(String), fc.constantFrom('', '01', '0x1', '+1', ' 1')), {
      maxLength: 6,
    })
    .map((octets) => octets.join('.')),
);

describe('parseAddress', () => {
  it('agrees with node:net on what is an address, zone ids apart', () => {
    fc.assert(
      fc.property(nearAddress, (text) => {
        const expected = text.includes('%') ? 0 : isIP(text);
        expect(parseAddress(text) === undefined ? 0 : 1, JSON.stringify(text)).toBe(
          expected === 0 ? 0 : 1,
        );
      }),
      { numRuns: 5_000 },
    );
  });

  it('agrees with the bytes that the URL parser sees in an IPv6 address', () => {
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        const bytes = parseAddress(text)!;
        if (bytes.length === 4) return;
        expect(`[${printAddress(bytes)}]`).toBe(new URL(`http://[${text}]/`).hostname);
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    '',
    ' ',
    '1',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.',
    '.1.2.3',
    '1..2.3',
    '01.2.3.4',
    '1.2.3.04',
    '00.0.0.0',
    '0x1.2.3.4',
    '256.1.1.1',
    '1.2.3.4 ',
    ' 1.2.3.4',
    '1.2.3.4\n',
    '1.2.3.-4',
    '+1.2.3.4',
    '1.2.3.4%0',
    '16909060',
    '1.2.3.1000',
    ':',
    ':::',
    '1:',
    ':1',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    '::1:2:3:4:5:6:7:8',
    '1:2:3:4::5:6:7:8',
    '12345::',
    'g::',
    '[::1]',
    'fe80::1%eth0',
    '::1%0',
    '::1 ',
    '::ffff:1.2.3',
    '::1.2.3.4:5',
    '1:2:3:4:5:6:7:1.2.3.4',
    '::ffff:01.2.3.4',
    '1.2.3.4::',
    '::1.2.3.256',
    '\u0661.2.3.4',
    '1.2.3.4\0',
    '::\u0661',
  ])('refuses %j', (text) => {
    expect(parseAddress(text)).toBeUndefined();
    expect(addressFamily(text)).toBeUndefined();
  });

  it('takes an IPv4-mapped address for the IPv4 address in it', () => {
    expect(parseAddress('::ffff:1.2.3.4')).toEqual(Uint8Array.of(1, 2, 3, 4));
    expect(parseAddress('0:0:0:0:0:FFFF:0102:0304')).toEqual(Uint8Array.of(1, 2, 3, 4));
    expect(parseAddress('::1.2.3.4')).toHaveLength(16);
    expect(parseAddress('::fffe:1.2.3.4')).toHaveLength(16);
  });

  it('writes into a buffer at an offset', () => {
    const target = new Uint8Array(20).fill(0xee);
    expect(parseAddressInto('9.8.7.6', target, 2)).toBe(4);
    expect(printAddressAt(target, 2, 4)).toBe('9.8.7.6');
    expect(parseAddressInto('2001:db8::9', target, 3)).toBe(16);
    expect(printAddressAt(target, 3, 6)).toBe('2001:db8::9');
    expect([...target.subarray(0, 2), target[19]]).toEqual([0xee, 0xee, 0xee]);
    expect(parseAddressInto('::ffff:9.8.7.6', target, 4)).toBe(4);
    expect(printAddressAt(target, 4, 4)).toBe('9.8.7.6');
    expect(parseAddressInto('nonsense', target, 0)).toBe(0);
  });
});

describe('printAddress', () => {
  it.each([
    // RFC 5952 section 4.1: leading zeros go.
    ['2001:0db8::0001', '2001:db8::1'],
    // 4.2.1: shortened as much as possible.
    ['2001:db8:0:0:0:0:2:1', '2001:db8::2:1'],
    // 4.2.2: a single zero group stays.
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:db8::1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    // 4.2.3: the longest run, then the first.
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    // 4.3: lower case.
    ['2001:DB8::ABCD', '2001:db8::abcd'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['1:0:0:0:0:0:0:0', '1::'],
    ['1:2:3:4:5:6:0:0', '1:2:3:4:5:6::'],
    ['0:0:3:4:5:6:7:8', '::3:4:5:6:7:8'],
    ['64:ff9b::1.2.3.4', '64:ff9b::102:304'],
    ['::ffff:7f00:1', '127.0.0.1'],
    ['255.255.255.255', '255.255.255.255'],
  ])('RFC 5952: %s is printed %s', (text, expected) => {
    expect(canonical(text)).toBe(expected);
  });

  it('is read back to the same bytes, and to the same text', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ minLength: 4, maxLength: 4 }),
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
      fc
        .array(fc.constantFrom(0, 0, 0, 1, 255), { minLength: 16, maxLength: 16 })
        .map((a) => Uint8Array.from(a)),
    );
    fc.assert(
      fc.property(bytes, (address) => {
        const text = printAddress(address);
        const back = parseAddress(text)!;
        expect(printAddress(back)).toBe(text);
        expect(back).toEqual(addressFamily(address) === 4 ? address.slice(-4) : address);
      }),
      { numRuns: 2_000 },
    );
  });

  it('refuses another number of bytes with its typed error', () => {
    for (const length of [0, 3, 5, 15, 17]) {
      expect(() => printAddress(new Uint8Array(length))).toThrowError(EndpointError);
      expect(addressFamily(new Uint8Array(length))).toBeUndefined();
    }
  });
});

describe('addressFamily', () => {
  it('knows text and bytes, mapped addresses as IPv4', () => {
    expect(addressFamily('1.2.3.4')).toBe(4);
    expect(addressFamily('::1')).toBe(6);
    expect(addressFamily('::ffff:1.2.3.4')).toBe(4);
    expect(addressFamily(new Uint8Array(4))).toBe(4);
    expect(addressFamily(new Uint8Array(16))).toBe(6);
    expect(
      addressFamily(Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 1, 2, 3, 4])),
    ).toBe(4);
  });
});
