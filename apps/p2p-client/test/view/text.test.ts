import { expect, it } from 'vitest';
import { TextView } from '../../src/view/text.ts';
import type { FileView } from '../../src/view/view.ts';

const ADA = { id: 1, label: 'Ada' };
const PATH = {
  kind: 'relay',
  method: 'relay-tcp',
  local: { address: '192.0.2.1', port: 1 },
  remote: { address: '2001:db8::2', port: 2 },
  reason: 'no UDP passes here',
} as const;

function watch(isTerminal = false) {
  const lines: string[] = [];
  const errors: string[] = [];
  let now = 0;
  const output = {
    isTerminal,
    out: (text: string) => void lines.push(text.trimEnd()),
    error: (text: string) => void errors.push(text),
  };
  return {
    view: new TextView(output, () => now),
    lines,
    errors,
    wait: (ms: number) => {
      now += ms;
    },
  };
}

it('begins the answer to /path with what it is, and says why', () => {
  const { view, lines } = watch();
  view.showPaths([
    { who: ADA, path: PATH },
    { who: ADA, path: undefined },
  ]);
  expect(lines).toEqual([
    'relay to Ada (relay-tcp, [2001:db8::2]:2): no UDP passes here',
    'none to Ada now; a way is being looked for',
  ]);
});

it('says once that it has joined, and of the server only what changes', () => {
  const { view, lines } = watch();
  view.connection(true);
  view.joined();
  view.connection(false);
  view.connection(true);
  view.joined();
  expect(lines).toEqual([
    '* Joined. Waiting for a partner; what you type is kept for them.',
    '* The server is not reached. Talk that runs goes on.',
    '* The server is reached again.',
  ]);
});

it('shows several lines one by one, each with who says it', () => {
  const { view, lines } = watch();
  view.message(ADA, 'one\n* Bob left.');
  expect(lines).toEqual(['Ada: one', 'Ada: * Bob left.']);
});

it('tells the progress of a file now and then', () => {
  const { view, lines, wait } = watch(true);
  const file: FileView = { id: 1, who: ADA, direction: 'in', name: 'x', lengthBytes: 2048 };
  for (let done = 0; done <= 2048; done += 64) {
    view.fileProgress(file, done);
    wait(100);
  }
  view.fileDone(file, '/tmp/x');
  expect(lines).toEqual([
    '* x: 31% of 2.0 KiB',
    '* x: 62% of 2.0 KiB',
    '* x: 93% of 2.0 KiB',
    '* x is saved as /tmp/x, and its checksum is right.',
  ]);
});

it('puts failures on the other stream', () => {
  const { view, lines, errors } = watch();
  view.failed('It fails.');
  expect([lines, errors]).toEqual([[], ['p2p-client: It fails.\n']]);
});

it('tells the progress of two files of one name apart', () => {
  const { view, lines, wait } = watch(true);
  const file = (id: number): FileView => ({
    id,
    who: ADA,
    direction: 'in',
    name: 'x',
    lengthBytes: 4,
  });
  view.fileProgress(file(1), 0);
  view.fileProgress(file(2), 0);
  wait(1000);
  view.fileProgress(file(1), 1);
  view.fileProgress(file(2), 2);
  expect(lines).toEqual(['* x: 25% of 4 B', '* x: 50% of 4 B']);
});

it('tells of a path only what changes', () => {
  const { view, lines } = watch();
  const other = { ...PATH, kind: 'direct', method: 'punched', reason: 'it works' } as const;
  for (const path of [PATH, undefined, PATH, PATH, other, undefined, PATH]) view.path(ADA, path);
  view.path({ id: 2, label: 'Bob' }, PATH);
  expect(lines).toEqual([
    '* Ada: relay (relay-tcp, [2001:db8::2]:2): no UDP passes here',
    '* Ada: direct (punched, [2001:db8::2]:2): it works',
    '* Ada: relay (relay-tcp, [2001:db8::2]:2): no UDP passes here',
    '* Bob: relay (relay-tcp, [2001:db8::2]:2): no UDP passes here',
  ]);
});
