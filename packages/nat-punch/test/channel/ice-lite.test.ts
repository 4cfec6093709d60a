import { utf8ToBytes } from '@noble/hashes/utils.js';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { answerCheck } from '../../src/channel/ice-lite.ts';
import {
  decodeStunMessage,
  hasIntegrity,
  STUN_ATTRIBUTE,
  STUN_METHOD,
  StunWriter,
} from '../../src/index.ts';

const OWN = { ufrag: 'lite', password: 'p'.repeat(22) };
const SOURCE = { address: '127.0.0.1', port: 40_000 };
const ID = Uint8Array.from({ length: 12 }, (_, index) => index);

const check = (username: string, password: string) =>
  new StunWriter('request', STUN_METHOD.binding, ID)
    .text(STUN_ATTRIBUTE.username, username)
    .flag(STUN_ATTRIBUTE.useCandidate)
    .integrity('sha1', utf8ToBytes(password))
    .fingerprint()
    .finish();

it('answers a check with where it came from, under its own password', () => {
  const answer = decodeStunMessage(answerCheck(check('lite:full', OWN.password), SOURCE, OWN)!)!;
  expect(answer.class).toBe('success');
  expect(answer.answers(ID)).toBe(true);
  expect(answer.xorAddress(STUN_ATTRIBUTE.xorMappedAddress)).toEqual(SOURCE);
  expect(hasIntegrity(answer, utf8ToBytes(OWN.password))).toBe(true);
});

it.each([
  ['another password', check('lite:full', 'q'.repeat(22))],
  ['another name', check('full:lite', OWN.password)],
  [
    'no integrity',
    new StunWriter('request', STUN_METHOD.binding, ID)
      .text(STUN_ATTRIBUTE.username, 'lite:full')
      .finish(),
  ],
  [
    'an indication',
    new StunWriter('indication', STUN_METHOD.binding, ID)
      .text(STUN_ATTRIBUTE.username, 'lite:full')
      .integrity('sha1', utf8ToBytes(OWN.password))
      .finish(),
  ],
])('does not answer %s', (_, datagram) => {
  expect(answerCheck(datagram, SOURCE, OWN)).toBeUndefined();
});

it('does not answer any bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
      expect(answerCheck(bytes, SOURCE, OWN)).toBeUndefined();
    }),
  );
});
