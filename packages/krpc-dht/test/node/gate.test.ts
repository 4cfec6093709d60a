import { expect, it } from 'vitest';
import { Gate } from '../../src/node/gate.ts';

it('lets all pass once it is open', async () => {
  const gate = new Gate();
  const passed = Promise.all([gate.pass(), gate.pass(new AbortController().signal)]);
  expect(gate.isOpen).toBe(false);
  gate.open();
  await passed;
  await gate.pass();
  expect(gate.isOpen).toBe(true);
});

it('an abort ends the wait of its own alone, with its reason', async () => {
  const gate = new Gate();
  const abort = new AbortController();
  const ended = gate.pass(abort.signal);
  const other = gate.pass();
  const reason = new Error('enough');
  abort.abort(reason);
  await expect(ended).rejects.toBe(reason);
  gate.open();
  await other;
  await expect(gate.pass(abort.signal)).rejects.toBe(reason);
});

it('turns away those who wait', async () => {
  const gate = new Gate();
  const waiting = gate.pass();
  gate.turnAway(new Error('closed'));
  await expect(waiting).rejects.toThrow('closed');
});
