import { expect, it } from 'vitest';
import { NatPunchError } from '../src/index.ts';

it('names its code, and the number of a STUN error', () => {
  const error = new NatPunchError('stun-error', 'the server answers 486', { stunCode: 486 });
  expect(error).toMatchObject({ name: 'NatPunchError', code: 'stun-error', stunCode: 486 });
  expect(error.cause).toBeUndefined();
});
