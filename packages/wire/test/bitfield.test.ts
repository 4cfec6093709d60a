import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Bitfield, bitfieldLength } from '../src/index.ts';

const remote = (code: string) => expect.objectContaining({ code, fault: 'remote' });
const local = (code: string) => expect.objectContaining({ code, fault: 'local' });

describe('Bitfield', () => {
  test('has the first piece in the highest bit (BEP 3)', () => {
    const bits = new Bitfield(10);
    for (const index of [0, 7, 9]) bits.set(index);
    expect([...bits.bytes]).toEqual([0b1000_0001, 0b0100_0000]);
    bits.setAll();
    expect([...bits.bytes]).toEqual([0xff, 0xc0]);
    expect(bits.isComplete).toBe(true);
    bits.clearAll();
    expect([...bits.bytes, bits.count]).toEqual([0, 0, 0]);
  });

  test('agrees with a set of numbers', () => {
    const operations = fc.array(fc.tuple(fc.constantFrom('set', 'clear'), fc.nat(40)));
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 41 }), operations, (pieceCount, steps) => {
        const bits = new Bitfield(pieceCount);
        const model = new Set<number>();
        for (const [operation, index] of steps) {
          if (index >= pieceCount) {
            const step = () => (operation === 'set' ? bits.set(index) : bits.clear(index));
            expect(step).toThrow(local('piece-out-of-range'));
          } else if (operation === 'set') {
            expect(bits.set(index)).toBe(!model.has(index));
            model.add(index);
          } else expect(bits.clear(index)).toBe(model.delete(index));
          expect(bits.count).toBe(model.size);
          expect(bits.isComplete).toBe(model.size === pieceCount);
        }
        for (let i = -1; i < 45; i++) expect(bits.has(i)).toBe(model.has(i));
        const copy = Bitfield.fromBytes(bits.bytes, pieceCount);
        expect(copy.count).toBe(model.size);
        expect(copy.bytes).toEqual(bits.bytes);
        expect(copy.bytes).not.toBe(bits.bytes);
      }),
    );
  });

  test('takes bytes of the exact length without spare bits only', () => {
    fc.assert(
      fc.property(fc.nat(40), fc.uint8Array({ maxLength: 7 }), (pieceCount, bytes) => {
        const isRight = bytes.length === bitfieldLength(pieceCount);
        const spare = [...bytes].some((byte, i) =>
          [0, 1, 2, 3, 4, 5, 6, 7].some((b) => byte & (0x80 >> b) && i * 8 + b >= pieceCount),
        );
        const make = () => Bitfield.fromBytes(bytes, pieceCount);
        if (!isRight) expect(make).toThrow(remote('wrong-length'));
        else if (spare) expect(make).toThrow(remote('spare-bits'));
        else expect(make().bytes).toEqual(bytes);
      }),
    );
  });

  test('no pieces are all pieces', () => {
    const none = Bitfield.fromBytes(new Uint8Array(0), 0);
    none.setAll();
    expect([none.isComplete, none.count, none.has(0), none.bytes.length]).toEqual([
      true,
      0,
      false,
      0,
    ]);
  });

  test('refuses what is no index or count', () => {
    expect(() => new Bitfield(-1)).toThrow(local('invalid-argument'));
    expect(() => new Bitfield(1.5)).toThrow(local('invalid-argument'));
    expect(() => new Bitfield(8).set(0.5)).toThrow(local('piece-out-of-range'));
    expect(() => new Bitfield(8).set(Number.NaN)).toThrow(local('piece-out-of-range'));
  });
});
