import { expect, it } from 'vitest';
import { JsonView } from '../../src/view/json.ts';
import type { FileView } from '../../src/view/view.ts';

it('is one object a line, whatever is said', () => {
  let out = '';
  let now = 0;
  const output = {
    isTerminal: false,
    out: (text: string) => {
      out += text;
    },
    error: () => {},
  };
  const view = new JsonView(output, () => now);
  const who = { id: 1, label: 'Ada' };
  const file: FileView = { who, direction: 'out', name: 'x', lengthBytes: 10 };
  view.message(who, 'two\nlines \u001b[2J');
  view.path(who, undefined);
  view.fileProgress(file, 1);
  view.fileProgress(file, 2);
  now = 500;
  view.fileProgress(file, 3);
  view.failed('It fails.', 3);
  expect(out).not.toContain('\u001b');
  const events = out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  const common = { event: 'file', peer: 1, name: 'Ada', direction: 'out', file: 'x', bytes: 10 };
  expect(events).toEqual([
    { event: 'message', from: 'Ada', peer: 1, text: 'two\nlines \u001b[2J' },
    { event: 'path', peer: 1, name: 'Ada', kind: null },
    { ...common, state: 'progress', doneBytes: 1 },
    { ...common, state: 'progress', doneBytes: 3 },
    { event: 'error', code: 3, message: 'It fails.' },
  ]);
});
