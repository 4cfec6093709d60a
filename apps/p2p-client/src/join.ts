// The pool of `@bt/nat-punch` as a chat takes it: its errors in one plain sentence each.

import type { Join } from './chat.ts';
import { EXIT, Failure } from './exit-codes.ts';

export const join: Join = async () => {
  throw new Failure(EXIT.internal, 'not yet');
};
