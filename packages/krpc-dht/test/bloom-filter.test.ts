import { parseAddress } from '@bt/endpoint';
import { expect, it } from 'vitest';
import { BloomFilter } from '../src/bloom-filter.ts';
import { toHex } from './bytes.ts';

const BEP_33_VECTOR = `
  F6C3F5EA A07FFD91 BDE89F77 7F26FB2B FF37BDB8 FB2BBAA2 FD3DDDE7 BACFFF75 EE7CCBAE
  FE5EEDB1 FBFAFF67 F6ABFF5E 43DDBCA3 FD9B9FFD F4FFD3E9 DFF12D1B DF59DB53 DBE9FA5B
  7FF3B8FD FCDE1AFB 8BEDD7BE 2F3EE71E BBBFE93B CDEEFE14 8246C2BC 5DBFF7E7 EFDCF24F
  D8DC7ADF FD8FFFDF DDFFF7A4 BBEEDF5C B95CE81F C7FCFF1F F4FFFFDF E5F7FDCB B7FD79B3
  FA1FC77B FE07FFF9 05B7B7FF C7FEFEFF E0B8370B B0CD3F5B 7F2BD93F EB4386CF DD6F7FD5
  BFAF2E9E BFFFFEEC D67ADBF7 C67F17EF D5D75EBA 6FFEBA7F FF47A91E B1BFBB53 E8ABFB57
  62ABE8FF 237279BF EFBFEEF5 FFC5FEBF DFE5ADFF ADFEE1FB 737FFFFB FD9F6AEF FEEE76B6
  FD8F72EF`;

const ipv4 = Array.from({ length: 256 }, (_, i) => parseAddress(`192.0.2.${i}`)!);
const ipv6 = Array.from({ length: 0x3e8 }, (_, i) => parseAddress(`2001:db8::${i.toString(16)}`)!);

it('BEP 33: the test vector, and its estimate', () => {
  const filter = new BloomFilter();
  for (const address of [...ipv4, ...ipv6]) filter.add(address);
  expect(toHex(filter.bytes)).toBe(BEP_33_VECTOR.replaceAll(/\s/g, '').toLowerCase());
  expect(filter.estimate()).toBeCloseTo(1224.9308, 3);
});

it('joined filters are that of all their addresses', () => {
  const all = new BloomFilter();
  const left = new BloomFilter();
  const right = new BloomFilter();
  for (const address of ipv4) all.add(address);
  for (const address of ipv4.slice(0, 150)) left.add(address);
  for (const address of ipv4.slice(100)) right.add(address);
  const message = new Uint8Array(300);
  message.set(right.bytes, 20);
  left.join(message, 20);
  expect(left.bytes).toEqual(all.bytes);
});

it('the estimate is 0 for none, and finite for a full one', () => {
  const filter = new BloomFilter();
  expect(filter.estimate()).toBe(0);
  filter.bytes.fill(0xff);
  expect(filter.estimate()).toBeCloseTo(7806, 0);
});
