import { describe, expect, it } from 'vitest';
import { checkAnnounceRequest, checkScrapeHashes } from '../src/announce.ts';
import { REQUEST } from './requests.ts';

describe('checkAnnounceRequest', () => {
  it('accepts the extremes', () => {
    checkAnnounceRequest(REQUEST);
    checkAnnounceRequest({ ...REQUEST, port: 1, numWant: 0, key: 0, leftBytes: 0 });
    checkAnnounceRequest({
      ...REQUEST,
      port: 65535,
      numWant: 2 ** 31 - 1,
      key: 2 ** 32 - 1,
      leftBytes: 2 ** 53 - 1,
    });
  });

  it.each([
    [{ infoHash: new Uint8Array(32) }],
    [{ peerId: new Uint8Array(19) }],
    [{ port: 0 }],
    [{ port: 65536 }],
    [{ uploadedBytes: -1 }],
    [{ downloadedBytes: 0.5 }],
    [{ leftBytes: Number.NaN }],
    [{ leftBytes: 2 ** 53 }],
    [{ numWant: -1 }],
    [{ key: 2 ** 32 }],
  ])("refuses %j as the caller's mistake", (wrong) => {
    expect(() => checkAnnounceRequest({ ...REQUEST, ...wrong })).toThrowError(
      expect.objectContaining({ code: 'invalid-argument' }),
    );
  });
});

describe('checkScrapeHashes', () => {
  it('takes 1 to 74 hashes of 20 bytes', () => {
    const hashes = (count: number, length = 20) =>
      Array.from({ length: count }, () => new Uint8Array(length));
    checkScrapeHashes(hashes(1));
    checkScrapeHashes(hashes(74));
    for (const wrong of [hashes(0), hashes(75), hashes(1, 32)]) {
      expect(() => checkScrapeHashes(wrong)).toThrowError(
        expect.objectContaining({ code: 'invalid-argument' }),
      );
    }
  });
});
