import { createRandom } from '@bt/simulator';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GOOD_FOR_MS, MAX_BUCKETS, RETRY_MS } from '../src/constants.ts';
import { commonPrefixBits, compareDistance, idForAddress, randomId } from '../src/node-id.ts';
import { RoutingTable } from '../src/routing-table.ts';
import { id } from './bytes.ts';

const OWN = id(0);

/** Compact node info: an id, and 10.x.y.z:6881 unless told otherwise. */
function node(nodeId: Uint8Array, address: readonly number[] = [10, 0, 0, 1], port = 6881) {
  return Uint8Array.of(...nodeId, ...address, port >> 8, port & 0xff);
}

/** An id that shares `bits` bits with OWN, and ends in `last`. */
function sharing(bits: number, last = 1): Uint8Array {
  const shared = new Uint8Array(20);
  shared[bits >> 3] = 0x80 >> (bits & 7);
  shared[19]! |= last;
  return shared;
}

/** Eight nodes of the far half, at private addresses. */
const farNodes = Array.from({ length: 8 }, (_, i) => node(sharing(0, i + 1), [10, 0, 0, i + 1]));

function tableOf(nodes: readonly Uint8Array[], now = 0): RoutingTable {
  const table = new RoutingTable({ family: 4, ownId: OWN });
  for (const each of nodes) table.handleAnswer(now, each);
  return table;
}

function closest(table: RoutingTable, target: Uint8Array, count = 8): Uint8Array[] {
  const into = new Uint8Array(count * table.nodeBytes);
  const found = table.closest(target, 0, count, into, 0);
  return Array.from({ length: found }, (_, i) =>
    into.slice(i * table.nodeBytes, (i + 1) * table.nodeBytes),
  );
}

describe('a bucket', () => {
  it('takes 8 nodes and keeps further ones in reserve', () => {
    const table = tableOf(farNodes);
    expect(table.handleAnswer(0, node(sharing(0, 9), [10, 0, 0, 9]))).toBe('spare');
    expect(table.size).toBe(8);
    expect(table.counts(0)).toMatchObject({ good: 8, spare: 1, buckets: 2 });
  });

  it('splits where our own id lies', () => {
    const table = tableOf(farNodes);
    expect(table.bucketCount).toBe(1);
    for (let bits = 1; bits < 20; bits++) {
      expect(table.handleAnswer(0, node(sharing(bits), [10, 0, 1, bits]))).toBe('added');
    }
    // Buckets 0 to 11 and the last one, which has the rest.
    expect(table.counts(0)).toMatchObject({ good: 27, buckets: 13 });
  });

  it('never splits beyond the limit', () => {
    const table = new RoutingTable({ family: 4, ownId: OWN });
    for (let i = 0; i < 1_000; i++) {
      const near = new Uint8Array(20);
      near[18] = i >> 8;
      near[19] = (i & 0xff) | (i === 0 ? 1 : 0);
      table.handleAnswer(0, node(near, [10, 1, i >> 8, i & 0xff]));
    }
    expect(table.bucketCount).toBe(MAX_BUCKETS);
    expect(table.size).toBe(8);
  });

  it('does not take our own id', () => {
    expect(tableOf([]).handleAnswer(0, node(OWN))).toBe('refused');
  });
});

describe('a node', () => {
  it('is good for 15 minutes after its answer or query, then questionable (BEP 5)', () => {
    const table = tableOf([farNodes[0]!]);
    expect(table.counts(GOOD_FOR_MS - 1)).toMatchObject({ good: 1, questionable: 0 });
    expect(table.counts(GOOD_FOR_MS)).toMatchObject({ good: 0, questionable: 1 });
    expect(table.handleQuery(GOOD_FOR_MS, farNodes[0]!)).toBe(true);
    expect(table.counts(GOOD_FOR_MS)).toMatchObject({ good: 1 });
    expect(table.handleAnswer(2 * GOOD_FOR_MS, farNodes[0]!)).toBe('known');
    expect(table.counts(2 * GOOD_FOR_MS)).toMatchObject({ good: 1 });
  });

  it('that is not in the table does not come in by asking', () => {
    const table = tableOf([]);
    expect(table.handleQuery(0, farNodes[0]!)).toBe(false);
    expect(table.size).toBe(0);
  });

  it('that fails twice gives its place to the spare that answered last', () => {
    const table = tableOf(farNodes);
    const spares = [9, 10].map((last) => node(sharing(0, last), [10, 0, 0, last]));
    table.handleAnswer(1_000, spares[0]!);
    table.handleAnswer(2_000, spares[1]!);
    table.handleFailure(farNodes[3]!);
    expect(closest(table, sharing(0, 4), 1)).toEqual([farNodes[3]]);
    table.handleFailure(farNodes[3]!);
    expect(table.counts(2_000)).toMatchObject({ good: 8, spare: 1 });
    expect(closest(table, spares[1]!.slice(0, 20), 1)).toEqual([spares[1]]);
    expect(closest(table, sharing(0, 4), 1)).not.toEqual([farNodes[3]]);
  });

  it('that is bad without a replacement stays, untold, until six failures or somebody better', () => {
    const table = tableOf(farNodes);
    table.handleFailure(farNodes[3]!);
    table.handleFailure(farNodes[3]!);
    expect(table.counts(0)).toMatchObject({ good: 7, bad: 1 });
    expect(closest(table, sharing(0, 4))).toHaveLength(7);
    expect(table.wants(0, node(sharing(0, 9), [10, 0, 0, 9]))).toBe(true);
    for (let i = 0; i < 4; i++) table.handleFailure(farNodes[3]!);
    expect(table.counts(0)).toMatchObject({ good: 7, bad: 0 });
  });

  it('is not blamed while our own line may be down, unless it is bad already', () => {
    const table = tableOf(farNodes);
    for (let i = 0; i < 9; i++) table.handleFailure(farNodes[0]!, false);
    expect(table.counts(0)).toMatchObject({ good: 8 });
    table.handleFailure(farNodes[0]!);
    table.handleFailure(farNodes[0]!);
    for (let i = 0; i < 4; i++) table.handleFailure(farNodes[0]!, false);
    expect(table.counts(0)).toMatchObject({ good: 7, bad: 0 });
  });

  it('counts failures in a row only', () => {
    const table = tableOf(farNodes);
    table.handleFailure(farNodes[0]!);
    table.handleAnswer(1, farNodes[0]!);
    table.handleFailure(farNodes[0]!);
    expect(table.counts(1)).toMatchObject({ bad: 0 });
  });

  it('keeps its id against another endpoint as long as it is well', () => {
    const table = tableOf(farNodes);
    const thief = node(sharing(0, 1), [10, 0, 0, 99]);
    expect(table.handleAnswer(1, thief)).toBe('refused');
    expect(table.handleAnswer(GOOD_FOR_MS, thief)).toBe('added');
    expect(closest(table, sharing(0, 1), 1)).toEqual([thief]);
    expect(table.size).toBe(8);
  });

  it('with another id at the same endpoint takes the place of the old one', () => {
    const table = tableOf([farNodes[0]!]);
    const renewed = node(sharing(0, 77), [10, 0, 0, 1]);
    expect(table.handleAnswer(1, renewed)).toBe('added');
    expect(table.size).toBe(1);
    expect(closest(table, OWN)).toEqual([renewed]);
  });

  it('is forgotten at its own endpoint only', () => {
    const table = tableOf(farNodes);
    table.remove(node(sharing(0, 1), [10, 0, 0, 99]));
    expect(table.size).toBe(8);
    table.remove(farNodes[0]!);
    expect(table.size).toBe(7);
  });
});

describe('addresses', () => {
  const random = createRandom(1);
  /** A valid id (BEP 42) of the far half for a public address. */
  const bound = (address: readonly number[]) => {
    for (;;) {
      const made = idForAddress(Uint8Array.from(address), random);
      if (made[0]! >= 0x80) return made;
    }
  };

  it('a public one has one node in a bucket, whatever its port', () => {
    const table = tableOf([]);
    const address = [192, 0, 2, 7];
    expect(table.handleAnswer(0, node(bound(address), address, 1))).toBe('added');
    expect(table.wants(0, node(bound(address), address, 2))).toBe(false);
    expect(table.handleAnswer(0, node(bound(address), address, 2))).toBe('refused');
    expect(table.handleAnswer(0, node(bound([192, 0, 2, 8]), [192, 0, 2, 8]))).toBe('added');
  });

  it('one that is not public may have many', () => {
    const table = tableOf([]);
    for (let port = 1; port <= 8; port++) {
      const each = node(sharing(0, port), [127, 0, 0, 1], port);
      expect(table.handleAnswer(0, each)).toBe('added');
    }
  });

  it('an id bound to its public address takes the place of one that is not', () => {
    const table = tableOf([]);
    for (let i = 1; i <= 8; i++) {
      table.handleAnswer(i, node(sharing(0, i), [198, 51, 100, i]));
    }
    table.handleAnswer(0, node(sharing(3), [10, 0, 0, 1])); // splits it off
    const valid = node(bound([203, 0, 113, 1]), [203, 0, 113, 1]);
    expect(table.wants(9, valid)).toBe(true);
    expect(table.handleAnswer(9, valid)).toBe('added');
    expect(closest(table, sharing(0, 1), 1)).not.toEqual([node(sharing(0, 1), [198, 51, 100, 1])]);
    const invalid = node(sharing(0, 9), [198, 51, 100, 9]);
    expect(table.wants(9, invalid)).toBe(false);
    expect(table.handleAnswer(9, invalid)).toBe('spare');
  });

  it('and so does it at one address', () => {
    const table = tableOf([node(sharing(0, 1), [203, 0, 113, 1], 1)]);
    const valid = node(bound([203, 0, 113, 1]), [203, 0, 113, 1], 2);
    expect(table.handleAnswer(0, valid)).toBe('added');
    expect(closest(table, OWN)).toEqual([valid]);
  });

  it('an IPv6 /64 counts as one', () => {
    const table = new RoutingTable({ family: 6, ownId: OWN });
    const ipv6 = (last: number, host: number) => {
      const address = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, host];
      return Uint8Array.of(...sharing(0, last), ...address, 0x1a, 0xe1);
    };
    expect(table.nodeBytes).toBe(38);
    expect(table.handleAnswer(0, ipv6(1, 1))).toBe('added');
    expect(table.handleAnswer(0, ipv6(2, 2))).toBe('refused');
  });
});

describe('maintenance', () => {
  const scratch = new Uint8Array(26);

  it('asks for the node that was silent longest, and for one that failed after a pause that doubles', () => {
    const table = tableOf([]);
    table.handleAnswer(10, farNodes[0]!);
    table.handleAnswer(0, farNodes[1]!);
    expect(table.takeQuestionable(GOOD_FOR_MS - 1, scratch)).toBe(false);
    expect(table.takeQuestionable(GOOD_FOR_MS + 10, scratch)).toBe(true);
    expect(scratch).toEqual(farNodes[1]);
    const now = GOOD_FOR_MS + 10;
    table.handleAsked(now, farNodes[1]!);
    expect(table.takeQuestionable(now, scratch)).toBe(true);
    expect(scratch).toEqual(farNodes[0]);
    table.handleAnswer(now, farNodes[0]!);
    table.handleFailure(farNodes[1]!);
    expect(table.takeQuestionable(now + RETRY_MS - 1, scratch)).toBe(false);
    expect(table.takeQuestionable(now + RETRY_MS, scratch)).toBe(true);
    table.handleAsked(now + RETRY_MS, farNodes[1]!);
    table.handleFailure(farNodes[1]!);
    expect(table.takeQuestionable(now + 3 * RETRY_MS - 1, scratch)).toBe(false);
    expect(table.takeQuestionable(now + 3 * RETRY_MS, scratch)).toBe(true);
  });

  it('is due when the first node or bucket is', () => {
    const table = tableOf([]);
    expect(table.dueAt).toBe(Number.POSITIVE_INFINITY);
    table.handleAnswer(100, farNodes[0]!);
    expect(table.dueAt).toBe(100 + GOOD_FOR_MS);
    table.handleAnswer(5_000, farNodes[0]!);
    table.updateDueAt();
    expect(table.dueAt).toBe(5_000 + GOOD_FOR_MS);
    table.handleFailure(farNodes[0]!);
    expect(table.dueAt).toBe(100 + RETRY_MS);
  });

  it('refreshes a bucket with room that has not changed for 15 minutes, and no full one', () => {
    const table = tableOf([...farNodes, node(sharing(1), [10, 0, 1, 1])]);
    expect(table.staleBucket(GOOD_FOR_MS - 1)).toBe(-1);
    expect(table.staleBucket(GOOD_FOR_MS)).toBe(1);
    table.handleRefresh(GOOD_FOR_MS, 1);
    expect(table.staleBucket(GOOD_FOR_MS)).toBe(-1);
  });

  it('searches in the range of the bucket', () => {
    const table = tableOf([
      ...farNodes,
      ...farNodes.map((_, i) => node(sharing(1, i + 1), [10, 0, 1, i + 1])),
      node(sharing(2), [10, 0, 2, 1]),
    ]);
    expect(table.bucketCount).toBe(3);
    const random = createRandom(2);
    for (let i = 0; i < 100; i++) {
      expect(commonPrefixBits(table.randomIdIn(0, random), 0, OWN, 0)).toBe(0);
      expect(commonPrefixBits(table.randomIdIn(1, random), 0, OWN, 0)).toBe(1);
      expect(commonPrefixBits(table.randomIdIn(2, random), 0, OWN, 0)).toBeGreaterThanOrEqual(2);
    }
  });
});

describe('another id of ours', () => {
  it('sorts the same nodes anew', () => {
    const random = createRandom(3);
    const nodes = Array.from({ length: 300 }, (_, i) =>
      node(randomId(random), [10, 0, i >> 8, i & 255]),
    );
    const table = tableOf(nodes);
    table.changeOwnId(id(0xff));
    const fresh = new RoutingTable({ family: 4, ownId: id(0xff) });
    for (let at = 0; at < table.toBytes().length; at += 26) {
      fresh.handleAnswer(0, table.toBytes().slice(at, at + 26));
    }
    expect(table.size).toBe(fresh.size);
    const target = randomId(random);
    expect(closest(table, target)).toEqual(closest(fresh, target));
  });
});

describe('properties', () => {
  const operations = fc.array(
    fc.record({
      id: fc.uint8Array({ minLength: 20, maxLength: 20 }),
      shared: fc.nat(20),
      address: fc.constantFrom(
        [10, 0, 0, 1],
        [10, 0, 0, 2],
        [192, 0, 2, 1],
        [192, 0, 2, 2],
        [198, 51, 100, 3],
      ),
      port: fc.integer({ min: 1, max: 4 }),
      what: fc.constantFrom('answer', 'answer', 'answer', 'query', 'failure', 'remove'),
    }),
    { maxLength: 300 },
  );

  it('the closest are those of a sorted list, each once, and no two of a bucket share a public address', () => {
    fc.assert(
      fc.property(operations, fc.uint8Array({ minLength: 20, maxLength: 20 }), (steps, target) => {
        const table = new RoutingTable({ family: 4, ownId: OWN });
        steps.forEach((step, now) => {
          const bits = sharing(step.shared);
          const nodeId = Uint8Array.from(step.id, (byte, i) => (i < 3 ? bits[i]! : byte));
          const each = node(nodeId, step.address, step.port);
          if (step.what === 'answer') table.handleAnswer(now, each);
          else if (step.what === 'query') table.handleQuery(now, each);
          else if (step.what === 'failure') table.handleFailure(each);
          else table.remove(each);
        });
        const bytes = table.toBytes();
        const all = Array.from({ length: bytes.length / 26 }, (_, i) =>
          bytes.slice(i * 26, i * 26 + 26),
        );
        const { good, questionable, bad } = table.counts(0);
        expect(good + questionable + bad).toBe(table.size);
        expect(all).toHaveLength(table.size - bad);
        const sorted = all.sort((a, b) => compareDistance(a, 0, b, 0, target, 0));
        expect(closest(table, target, 20)).toEqual(sorted.slice(0, 20));
        const places = all
          .filter((each) => each[20] !== 10)
          .map(
            (each) =>
              `${Math.min(commonPrefixBits(each, 0, OWN, 0), table.bucketCount - 1)} ${each.slice(20, 24)}`,
          );
        expect(new Set(places).size).toBe(places.length);
      }),
      { numRuns: 200 },
    );
  });
});
