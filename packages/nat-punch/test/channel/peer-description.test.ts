import { expect, it } from 'vitest';
import { describePeer, readOwnOffer } from '../../src/channel/peer-description.ts';

const fingerprint = Uint8Array.from({ length: 32 }, (_, index) => index * 8);
const ice = { ufrag: 'abcd', password: 'p'.repeat(22) };

it('describes a full and a lite agent, either as DTLS client or server', () => {
  const full = describePeer({
    fingerprint,
    ice,
    isDtlsClient: true,
    candidates: ['candidate:1 1'],
  });
  expect(full.split('\r\n')).toEqual(
    expect.arrayContaining(['a=setup:active', 'a=candidate:1 1', 'a=ice-ufrag:abcd', '']),
  );
  expect(full).not.toContain('ice-lite');
  const lite = describePeer({ fingerprint, ice, isDtlsClient: false, isIceLite: true });
  expect(lite).toContain('\r\na=setup:passive\r\n');
  expect(lite.indexOf('a=ice-lite')).toBeLessThan(lite.indexOf('m='));
});

it('reads of an offer what it would describe', () => {
  const sdp = describePeer({ fingerprint, ice, isDtlsClient: true, mid: 'data' });
  expect(readOwnOffer(sdp)).toEqual({ fingerprint, ice, mid: 'data' });
  expect(readOwnOffer('v=0\r\n')).toBeUndefined();
});
