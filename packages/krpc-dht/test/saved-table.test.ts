import fc from 'fast-check';
import { expect, it } from 'vitest';
import { MAX_SAVED_NODES } from '../src/constants.ts';
import { decodeSavedTable, encodeSavedTable } from '../src/saved-table.ts';
import { id, ids } from './bytes.ts';

const nodesOf = (nodeBytes: number) =>
  fc
    .nat(20)
    .chain((count) =>
      fc.uint8Array({ minLength: count * nodeBytes, maxLength: count * nodeBytes }),
    );

const overlays = fc.tuple(ids, ids, nodesOf(26), nodesOf(38), fc.subarray([4, 6] as const));

it('comes back as it was', () => {
  fc.assert(
    fc.property(overlays, ([id4, id6, nodes4, nodes6, families]) => {
      const saved = families.map((family) => ({
        family,
        id: family === 4 ? id4 : id6,
        nodes: family === 4 ? nodes4 : nodes6,
      }));
      expect(decodeSavedTable(encodeSavedTable(saved))).toEqual(saved);
    }),
  );
});

it('a part of one is none, nor is one with something behind it', () => {
  const saved = [
    { family: 4, id: id(1), nodes: new Uint8Array(52) },
    { family: 6, id: id(2), nodes: new Uint8Array(38) },
  ] as const;
  const bytes = encodeSavedTable(saved);
  const whole = [6, 6 + 23 + 52, bytes.length];
  for (let length = 0; length < bytes.length; length++) {
    const isWhole = whole.includes(length);
    expect(decodeSavedTable(bytes.subarray(0, length)) !== undefined).toBe(isWhole);
  }
  expect(decodeSavedTable(Uint8Array.of(...bytes, 0))).toBe(undefined);
});

it('another version, a family that stands twice and arbitrary bytes are none', () => {
  const bytes = encodeSavedTable([{ family: 4, id: id(1), nodes: new Uint8Array(26) }]);
  const other = bytes.slice();
  other[5] = 2;
  expect(decodeSavedTable(other)).toBe(undefined);
  expect(decodeSavedTable(Uint8Array.of(...bytes, ...bytes.subarray(6)))).toBe(undefined);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (random) => {
      expect(decodeSavedTable(random)).toBe(undefined);
      decodeSavedTable(Uint8Array.of(...bytes.subarray(0, 6), ...random));
    }),
  );
});

it('holds 2,000 nodes at most', () => {
  const nodes = new Uint8Array((MAX_SAVED_NODES + 1) * 26);
  const decoded = decodeSavedTable(encodeSavedTable([{ family: 4, id: id(1), nodes }]));
  expect(decoded?.[0]?.nodes.length).toBe(MAX_SAVED_NODES * 26);
});
