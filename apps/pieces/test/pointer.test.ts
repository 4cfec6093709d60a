import { DhtError, encodeTorrentPointer, type Item, signItem } from '@bt/krpc-dht';
import { type DhtNode, nodeEd25519 } from '@bt/krpc-dht/node';
import { describe, expect, it } from 'vitest';
import { TorrentPointer } from '../src/pointer.ts';

const seed = new Uint8Array(32).fill(7);
const publicKey = nodeEd25519.publicKey(seed);
const hash = (byte: number) => new Uint8Array(20).fill(byte);

function itemOf(byte: number, sequence: bigint): Item {
  return signItem(nodeEd25519, seed, { value: encodeTorrentPointer(hash(byte)), sequence });
}

/** A DHT that answers each question with the next of these, and goes on with the last. */
function dhtOf(...answers: readonly (Item | Error | undefined)[]) {
  const left = [...answers];
  const put: Item[] = [];
  const node = {
    get: async () => {
      const answer = left.length > 1 ? left.shift() : left[0];
      if (answer instanceof Error) throw answer;
      return answer;
    },
    put: async (item: Item) => {
      put.push(item);
      return { stored: 1 };
    },
  };
  return { node: node as unknown as DhtNode, put };
}

const never = new AbortController().signal;

describe('a key', () => {
  it('points to the torrent that was published last', async () => {
    const pointer = new TorrentPointer(dhtOf(itemOf(1, 5n)).node, publicKey, undefined);
    expect(await pointer.find(never)).toEqual({ infoHash: hash(1), sequence: 5n });
  });

  it('is looked for until the signal ends it, whatever the DHT says', async () => {
    const nonsense = signItem(nodeEd25519, seed, {
      value: Uint8Array.of(105, 49, 101),
      sequence: 1n,
    });
    for (const answer of [undefined, new DhtError('no-nodes', 'nobody'), nonsense]) {
      const pointer = new TorrentPointer(dhtOf(answer).node, publicKey, undefined);
      await expect(pointer.find(AbortSignal.timeout(20))).rejects.toThrow();
    }
  });

  it('is not looked for again when the question itself is wrong', async () => {
    const error = new DhtError('invalid-argument', 'a salt has 64 bytes at most');
    const pointer = new TorrentPointer(dhtOf(error).node, publicKey, undefined);
    await expect(pointer.find(never)).rejects.toBe(error);
  });

  it('has a next torrent when a higher number names another one, and its item is kept meanwhile', async () => {
    const { node, put } = dhtOf(
      itemOf(1, 5n),
      itemOf(1, 5n),
      undefined,
      itemOf(9, 4n),
      itemOf(1, 6n),
      itemOf(2, 7n),
    );
    const pointer = new TorrentPointer(node, publicKey, undefined);
    const present = await pointer.find(never);
    expect(await pointer.next(present, 1, never)).toEqual({ infoHash: hash(2), sequence: 7n });
    expect(put).toEqual([itemOf(1, 5n)]);
  });

  it('is not followed any more when it is interrupted', async () => {
    const pointer = new TorrentPointer(dhtOf(itemOf(1, 5n)).node, publicKey, undefined);
    const present = await pointer.find(never);
    const abort = new AbortController();
    const next = pointer.next(present, 60_000, abort.signal);
    abort.abort();
    await expect(next).rejects.toThrow();
  });
});
