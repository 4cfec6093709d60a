import { isMartianAt } from '@bt/endpoint';
import { sha1 } from '@noble/hashes/legacy.js';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { MAX_SAVED_NODES } from '../src/constants.ts';
import { decodeSavedTable, encodeSavedTable } from '../src/saved-table.ts';
import { id, ids } from './bytes.ts';

const nodesOf = (nodeBytes: 26 | 38) =>
  fc
    .array(
      fc
        .uint8Array({ minLength: nodeBytes, maxLength: nodeBytes })
        .filter((node) => !isMartianAt(node, 20, nodeBytes === 26 ? 4 : 6, true)),
      { maxLength: 20 },
    )
    .map((nodes) => Uint8Array.from(nodes.flatMap((node) => [...node])));

const overlays = fc.tuple(ids, ids, nodesOf(26), nodesOf(38), fc.subarray([4, 6] as const));

/** `count` nodes that can be sent to. */
function nodes(count: number, nodeBytes = 26): Uint8Array {
  return new Uint8Array(count * nodeBytes).fill(0x20);
}

/** With the checksum of what is there now. */
function sealed(body: Uint8Array): Uint8Array {
  return Uint8Array.of(...body, ...sha1(body));
}

const bodyOf = (bytes: Uint8Array) => bytes.subarray(0, bytes.length - 20);

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
    { family: 4, id: id(1), nodes: nodes(2) },
    { family: 6, id: id(2), nodes: nodes(1, 38) },
  ] as const;
  const bytes = encodeSavedTable(saved);
  for (let length = 0; length < bytes.length; length++) {
    expect(decodeSavedTable(bytes.subarray(0, length))).toBe(undefined);
  }
  expect(decodeSavedTable(Uint8Array.of(...bytes, 0))).toBe(undefined);
  // With the right checksum too, but for such as end where an overlay does.
  const body = bodyOf(bytes);
  const whole = [6, 6 + 23 + 52, body.length];
  for (let length = 0; length <= body.length; length++) {
    const decoded = decodeSavedTable(sealed(body.subarray(0, length)));
    expect(decoded !== undefined).toBe(whole.includes(length));
  }
});

it('one in which a bit has turned over is none', () => {
  const bytes = encodeSavedTable([{ family: 4, id: id(1), nodes: nodes(3) }]);
  for (let bit = 0; bit < 8 * bytes.length; bit++) {
    const damaged = bytes.slice();
    damaged[bit >> 3]! ^= 1 << (bit & 7);
    expect(decodeSavedTable(damaged)).toBe(undefined);
  }
});

it('leaves out nodes without a port, and addresses that nobody has', () => {
  const good = nodes(1);
  const portless = nodes(1).fill(0, 24);
  const multicast = nodes(1).fill(0xe0, 20, 21);
  const bytes = encodeSavedTable([
    { family: 4, id: id(1), nodes: Uint8Array.of(...portless, ...good, ...multicast) },
  ]);
  expect(decodeSavedTable(bytes)?.[0]?.nodes).toEqual(good);
});

it('another version, a family that stands twice and arbitrary bytes are none', () => {
  const body = bodyOf(encodeSavedTable([{ family: 4, id: id(1), nodes: nodes(1) }]));
  expect(decodeSavedTable(sealed(body))).toHaveLength(1);
  const other = body.slice();
  other[5] = 1;
  expect(decodeSavedTable(sealed(other))).toBe(undefined);
  expect(decodeSavedTable(sealed(Uint8Array.of(...body, ...body.subarray(6))))).toBe(undefined);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (random) => {
      expect(decodeSavedTable(random)).toBe(undefined);
      decodeSavedTable(sealed(Uint8Array.of(...body.subarray(0, 6), ...random)));
    }),
  );
});

it('holds 2,000 nodes at most', () => {
  const saved = [{ family: 4, id: id(1), nodes: nodes(MAX_SAVED_NODES + 1) }] as const;
  expect(decodeSavedTable(encodeSavedTable(saved))?.[0]?.nodes.length).toBe(MAX_SAVED_NODES * 26);
});
