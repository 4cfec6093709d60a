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
  const file: FileView = { id: 4, who, direction: 'out', name: 'x', lengthBytes: 10 };
  view.message(who, 'two\nlines \u001b[2J \u009b2J\u202e');
  view.path(who, undefined);
  view.fileProgress(file, 1);
  view.fileProgress(file, 2);
  now = 500;
  view.fileProgress(file, 3);
  view.failed('It fails.', 3);
  for (const obeyed of ['\u001b', '\u009b', '\u202e']) expect(out).not.toContain(obeyed);
  const events = out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  const common = {
    event: 'file',
    peer: 1,
    name: 'Ada',
    transfer: 4,
    direction: 'out',
    file: 'x',
    bytes: 10,
  };
  expect(events).toEqual([
    { event: 'message', from: 'Ada', peer: 1, text: 'two\nlines \u001b[2J \u009b2J\u202e' },
    { event: 'path', peer: 1, name: 'Ada', kind: null },
    { ...common, state: 'progress', doneBytes: 1 },
    { ...common, state: 'progress', doneBytes: 3 },
    { event: 'error', code: 3, message: 'It fails.' },
  ]);
});

it('tells the progress of each file, also of two with one name, and again when one is sent again', () => {
  const events: { readonly [field: string]: unknown }[] = [];
  const output = {
    isTerminal: false,
    out: (text: string) => void events.push(JSON.parse(text)),
    error: () => {},
  };
  const view = new JsonView(output, () => 0);
  const file = (id: number): FileView => ({
    id,
    who: { id: 1, label: 'Ada' },
    direction: 'in',
    name: 'x',
    lengthBytes: 10,
  });
  view.fileProgress(file(1), 1);
  view.fileProgress(file(2), 2);
  view.fileDone(file(1), '/tmp/x');
  view.fileProgress(file(1), 3);
  view.fileFailed(file(2), 'No.');
  view.fileProgress(file(2), 4);
  const told = events.map(({ transfer, state, doneBytes }) => [transfer, state, doneBytes]);
  expect(told).toEqual([
    [1, 'progress', 1],
    [2, 'progress', 2],
    [1, 'done', undefined],
    [1, 'progress', 3],
    [2, 'failed', undefined],
    [2, 'progress', 4],
  ]);
});
