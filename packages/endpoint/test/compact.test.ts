import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addressFamily,
  compactLength,
  decodeCompact,
  EndpointError,
  encodeCompact,
  makeEndpoint,
  readCompact,
  readCompactPort,
  writeCompact,
} from '../src/index.ts';

const endpoint = fc
  .tuple(fc.oneof(fc.ipV4(), fc.ipV6()), fc.nat(65535))
  .map(([address, port]) => makeEndpoint(address, port)!);

describe('compact endpoints', () => {
  it('BEP 23: four bytes of address and two of port, network order', () => {
    expect(encodeCompact({ address: '10.11.12.13', port: 0x1ae1 })).toEqual(
      Uint8Array.of(10, 11, 12, 13, 0x1a, 0xe1),
    );
  });

  it('BEP 7: sixteen bytes of address and two of port', () => {
    const bytes = encodeCompact({ address: '2001:db8::ff', port: 80 });
    expect(bytes).toEqual(
      Uint8Array.of(0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0, 80),
    );
  });

  it('come back whole from lists', () => {
    fc.assert(
      fc.property(fc.array(endpoint), (endpoints) => {
        for (const family of [4, 6] as const) {
          const mine = endpoints.filter((e) => addressFamily(e.address) === family);
          const bytes = Uint8Array.from(mine.flatMap((e) => [...encodeCompact(e)]));
          expect(bytes.length).toBe(mine.length * compactLength(family));
          expect(decodeCompact(bytes, family)).toEqual(mine);
        }
      }),
    );
  });

  it('are read and written at offsets, and nothing beside them is touched', () => {
    fc.assert(
      fc.property(endpoint, fc.nat(9), (value, offset) => {
        const buffer = new Uint8Array(30).fill(0xee);
        const end = writeCompact(buffer, offset, value);
        const family = addressFamily(value.address)!;
        expect(end).toBe(offset + compactLength(family));
        expect(readCompact(buffer, offset, family)).toEqual(value);
        expect(readCompactPort(buffer, offset, family)).toBe(value.port);
        expect(buffer.every((byte, i) => (i >= offset && i < end) || byte === 0xee)).toBe(true);
      }),
    );
  });

  it('refuse any list of arbitrary bytes that is not whole entries, with a typed error', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 80 }),
        fc.constantFrom(4 as const, 6 as const),
        (bytes, family) => {
          if (bytes.length % compactLength(family) === 0) {
            expect(decodeCompact(bytes, family)).toHaveLength(bytes.length / compactLength(family));
          } else {
            expect(() => decodeCompact(bytes, family)).toThrowError(
              expect.objectContaining({ code: 'invalid-length' }),
            );
          }
        },
      ),
    );
  });

  it('refuse what does not fit or is none, and leave the buffer as it was', () => {
    const buffer = new Uint8Array(17);
    const cases = [
      [{ address: '::1', port: 1 }, 0, 'invalid-length'],
      [{ address: '1.2.3.4', port: 1 }, 12, 'invalid-length'],
      [{ address: '1.2.3.4', port: 1 }, -1, 'invalid-length'],
      [{ address: '1.2.3.4', port: 1 }, Number.NaN, 'invalid-length'],
      [{ address: '1.2.3', port: 1 }, 0, 'invalid-address'],
      [{ address: '1.2.3.4', port: 65536 }, 0, 'invalid-port'],
      [{ address: '1.2.3.4', port: 0.5 }, 0, 'invalid-port'],
    ] as const;
    for (const [value, offset, code] of cases) {
      expect(() => writeCompact(buffer, offset, value)).toThrowError(
        expect.objectContaining({ code }),
      );
    }
    expect(buffer).toEqual(new Uint8Array(17));
    for (const offset of [12, -1, Number.NaN]) {
      expect(() => readCompact(buffer, offset, 4)).toThrowError(EndpointError);
    }
  });

  it('an IPv4-mapped entry of an IPv6 list is an IPv4 endpoint', () => {
    const bytes = Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 9, 8, 7, 6, 0, 80]);
    expect(decodeCompact(bytes, 6)).toEqual([{ address: '9.8.7.6', port: 80 }]);
  });
});
