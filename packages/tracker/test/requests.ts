// Announces for tests: one, and arbitrary ones.
import fc from 'fast-check';
import type { AnnounceRequest } from '../src/announce.ts';

export const REQUEST: AnnounceRequest = {
  infoHash: Uint8Array.from({ length: 20 }, (_, i) => 12 * i),
  peerId: new TextEncoder().encode('-BT0001-abcdefghijkl'),
  port: 6881,
  uploadedBytes: 0,
  downloadedBytes: 0,
  leftBytes: 1000,
  numWant: 50,
  key: 0x12345678,
};

const hash = fc.uint8Array({ minLength: 20, maxLength: 20 });
const counter = fc.maxSafeNat().map((n) => n % 1e15);

export const announceRequest: fc.Arbitrary<AnnounceRequest> = fc.record({
  infoHash: hash,
  peerId: hash,
  port: fc.integer({ min: 1, max: 65535 }),
  uploadedBytes: counter,
  downloadedBytes: counter,
  leftBytes: counter,
  event: fc.constantFrom(undefined, 'started' as const, 'completed' as const, 'stopped' as const),
  numWant: fc.nat(0x7fffffff),
  key: fc.nat(0xffffffff),
});
