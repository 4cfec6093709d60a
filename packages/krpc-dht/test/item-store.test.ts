import { encode } from '@bt/bencode';
import { parseAddress } from '@bt/endpoint';
import { createRandom } from '@bt/simulator';
import { describe, expect, it } from 'vitest';
import {
  ITEM_LIFETIME_MS,
  MAX_ITEMS,
  MAX_ITEMS_PER_ADDRESS,
  MAX_ITEMS_PER_NETWORK,
} from '../src/constants.ts';
import type { Ed25519 } from '../src/ed25519.ts';
import { KRPC_ERROR } from '../src/errors.ts';
import { type Item, itemTarget, type MutableItem, signItem } from '../src/item.ts';
import { ItemStore, type ItemStoreOptions } from '../src/item-store.ts';
import { nodeEd25519 } from '../src/node/ed25519.ts';
import { id, text } from './bytes.ts';

const SEED = new Uint8Array(32).fill(7);
const { server, protocol, invalidSignature, casMismatch, sequenceTooLow } = KRPC_ERROR;

const storeOf = (options: Partial<ItemStoreOptions> = {}) =>
  new ItemStore({ ed25519: nodeEd25519, random: createRandom(1), ...options });
const value = (content: string): Item => ({ value: encode(content) });
const version = (sequence: bigint, content = `version ${sequence}`, salt = ''): MutableItem =>
  signItem(nodeEd25519, SEED, { value: encode(content), sequence, salt: text(salt) });

function put(
  store: ItemStore,
  item: Item,
  { now = 0, cas = undefined as bigint | undefined, from = '198.51.100.1' } = {},
) {
  const address = parseAddress(from)!;
  return store.put(now, item, cas, address, 0, address.length === 4 ? 4 : 6);
}
const got = (store: ItemStore, item: Item, now = 0) => store.get(now, itemTarget(item), 0);

describe('ItemStore', () => {
  it('keeps immutable items under the hash of their value', () => {
    const store = storeOf();
    expect(put(store, value('one'))).toBeUndefined();
    expect(put(store, value('two'))).toBeUndefined();
    expect(got(store, value('one'))).toEqual(value('one'));
    expect(store.get(0, id(1), 0)).toBeUndefined();
    expect(store.itemCount).toBe(2);
  });

  it('keeps mutable items under key and salt', () => {
    const store = storeOf();
    expect(put(store, version(1n))).toBeUndefined();
    expect(put(store, version(5n, 'salted', 'salt'))).toBeUndefined();
    expect(got(store, version(1n))).toEqual(version(1n));
    expect(got(store, version(1n, 'any', 'salt'))).toEqual(version(5n, 'salted', 'salt'));
    expect(store.itemCount).toBe(2);
  });

  it('copies what it keeps, out of a Buffer too', () => {
    const store = storeOf();
    const bytes = Buffer.from('3:one');
    put(store, { value: bytes });
    bytes.fill(0);
    expect(got(store, value('one'))).toEqual(value('one'));
  });

  it('refuses what is not valid', () => {
    const store = storeOf();
    const item = version(1n);
    expect(put(store, { value: text('x') })).toBe(protocol);
    expect(put(store, { ...item, signature: new Uint8Array(64) })).toBe(invalidSignature);
    expect(put(store, item)).toBeUndefined();
    expect(put(store, { ...version(2n), signature: item.signature })).toBe(invalidSignature);
    expect(got(store, item)).toEqual(item);
    expect(store.itemCount).toBe(1);
  });

  it('BEP 44: only goes up, 302', () => {
    const store = storeOf();
    put(store, version(4n));
    expect(put(store, version(3n))).toBe(sequenceTooLow);
    expect(put(store, version(4n, 'another'))).toBe(sequenceTooLow);
    expect(got(store, version(4n))).toEqual(version(4n));
    expect(put(store, version(5n))).toBeUndefined();
    expect(got(store, version(4n))).toEqual(version(5n));
  });

  it('BEP 44: compares and swaps, 301', () => {
    const store = storeOf();
    // There is nothing to compare with yet.
    expect(put(store, version(4n), { cas: 2n })).toBeUndefined();
    expect(put(store, version(5n), { cas: 3n })).toBe(casMismatch);
    expect(got(store, version(4n))).toEqual(version(4n));
    expect(put(store, version(5n), { cas: 4n })).toBeUndefined();
    expect(put(store, version(6n), { cas: 4n })).toBe(casMismatch);
    expect(got(store, version(4n))).toEqual(version(5n));
  });

  it('forgets after two hours, unless it is put again', () => {
    const store = storeOf();
    put(store, version(1n));
    put(store, value('one'));
    put(store, version(1n), { now: ITEM_LIFETIME_MS - 1 });
    expect(got(store, value('one'), ITEM_LIFETIME_MS - 1)).toBeDefined();
    expect(got(store, value('one'), ITEM_LIFETIME_MS)).toBeUndefined();
    expect(got(store, version(1n), ITEM_LIFETIME_MS)).toBeDefined();
    store.handleTimeout(ITEM_LIFETIME_MS);
    expect(store.itemCount).toBe(1);
    store.handleTimeout(2 * ITEM_LIFETIME_MS);
    expect(store.itemCount).toBe(0);
  });

  it('an item that is there already costs no second check of its signature', () => {
    let checks = 0;
    const counting: Ed25519 = {
      ...nodeEd25519,
      verify(signature, message, publicKey) {
        checks++;
        return nodeEd25519.verify(signature, message, publicKey);
      },
    };
    const store = storeOf({ ed25519: counting });
    for (let i = 0; i < 5; i++) expect(put(store, version(1n), { now: i })).toBeUndefined();
    expect(put(store, version(0n))).toBe(sequenceTooLow);
    expect(checks).toBe(1);
    // The same with another signature has to be checked.
    expect(put(store, { ...version(1n), signature: new Uint8Array(64) })).toBe(invalidSignature);
    expect(checks).toBe(2);
  });
});

describe('caps', () => {
  it('2,000 items, 100 of a public address', () => {
    expect([MAX_ITEMS, MAX_ITEMS_PER_ADDRESS]).toEqual([2000, 100]);
  });

  it('refuse what is new of somebody who has as much as anybody', () => {
    const store = storeOf({ maxItems: 2 });
    put(store, value('one'), { from: '198.51.100.1' });
    put(store, version(1n), { from: '203.0.113.1' });
    expect(put(store, value('three'), { from: '192.0.2.1' })).toBe(server);
    expect(put(store, version(2n))).toBeUndefined();
    expect([got(store, value('one')), got(store, version(1n))]).toEqual([
      value('one'),
      version(2n),
    ]);
    expect(put(store, value('three'), { now: ITEM_LIFETIME_MS })).toBeUndefined();
  });

  it('give somebody who has little a place of those who have most, their oldest', () => {
    const store = storeOf({ maxItems: 4 });
    put(store, value('mine'), { from: '192.0.2.1' });
    for (const n of [1, 2, 3]) put(store, value(`${n}`), { from: `198.51.100.${n}`, now: n });
    // Again: it is their youngest now.
    put(store, value('1'), { from: '198.51.100.1', now: 4 });
    expect(put(store, value('new'), { from: '203.0.113.1', now: 5 })).toBeUndefined();
    expect([1, 2, 3].map((n) => got(store, value(`${n}`)) !== undefined)).toEqual([
      true,
      false,
      true,
    ]);
    expect(got(store, value('mine'))).toBeDefined();
    // Now nobody has two more than they.
    expect(put(store, value('4'), { from: '198.51.100.4', now: 6 })).toBe(server);
    expect(put(store, { value: text('x') }, { from: '203.0.114.1', now: 6 })).toBe(protocol);
    expect(store.itemCount).toBe(4);
  });

  it('are not held for ever by twenty addresses', () => {
    const store = storeOf();
    for (let n = 0; n < MAX_ITEMS; n++) {
      expect(put(store, value(`${n}`), { from: `198.51.${n % 20}.1` })).toBeUndefined();
    }
    for (let n = 0; n < 50; n++) {
      expect(put(store, value(`honest ${n}`), { from: `203.0.${n}.1` })).toBeUndefined();
    }
    expect(store.itemCount).toBe(MAX_ITEMS);
  });

  it('400 of a /24 or an IPv6 /48, whatever addresses it has', () => {
    for (const from of [
      (n: number) => `198.51.100.${n % 256}`,
      (n: number) => `2001:db8:1:${n.toString(16)}::1`,
    ]) {
      const store = storeOf();
      for (let n = 0; n < MAX_ITEMS_PER_NETWORK; n++) {
        expect(put(store, value(`${n}`), { from: from(n) })).toBeUndefined();
      }
      expect(put(store, value('more'), { from: from(7) })).toBe(server);
      expect(put(store, value('more'), { from: '203.0.113.1' })).toBeUndefined();
    }
  });

  it('of a public address, a /64; others are exempt', () => {
    for (const [first, same, other] of [
      ['198.51.100.1', '198.51.100.1', '198.51.100.2'],
      ['2001:db8:1:2::1', '2001:db8:1:2::ff', '2001:db8:1:3::1'],
    ] as const) {
      const store = storeOf();
      for (let n = 0; n < 100; n++) {
        expect(put(store, value(`${n}`), { from: first })).toBeUndefined();
      }
      expect(put(store, value('more'), { from: same })).toBe(server);
      expect(put(store, value('more'), { from: other })).toBeUndefined();
      expect(put(store, value('5'), { from: same })).toBeUndefined();
      expect(put(store, value('again'), { now: 2 * ITEM_LIFETIME_MS, from: same })).toBeUndefined();
    }
    const store = storeOf();
    for (let n = 0; n < 500; n++)
      expect(put(store, value(`${n}`), { from: '10.0.0.1' })).toBeUndefined();
  });
});
