import { expect, test } from 'vitest';
import { swarmHashes } from '../src/index.ts';

const v1 = new Uint8Array(20).fill(1);
const v2 = new Uint8Array(32).fill(2);

test('a torrent meets its peers under one info-hash, a hybrid under two', () => {
  expect(swarmHashes({ infoHashV1: v1 })).toEqual([v1]);
  expect(swarmHashes({ infoHashV2: v2 })).toEqual([v2.subarray(0, 20)]);
  expect(swarmHashes({ infoHashV1: v1, infoHashV2: v2 })).toEqual([v1, v2.subarray(0, 20)]);
});
