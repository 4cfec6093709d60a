import { startServer } from '@bt/nat-punch/node';
import { expect, it, onTestFinished } from 'vitest';
import { chat, type Input } from '../src/chat.ts';
import { join } from '../src/join.ts';
import { parseOptions } from '../src/options.ts';

/** `p2p-client ...args` with these lines typed, and the input open after them until `text` has been said. */
async function run(
  args: readonly string[],
  lines: readonly string[],
  options: { until?: string; onOut?: (text: string) => void; interrupted?: AbortSignal } = {},
) {
  const parsed = parseOptions(args, '1.2.3');
  if ('isError' in parsed || parsed.command !== 'chat') throw new Error('wrong arguments');
  let out = '';
  let error = '';
  let wake = () => {};
  const input: Input = {
    isTerminal: false,
    out: (text) => {
      out += text;
      options.onOut?.(text);
      wake();
    },
    error: (text) => {
      error += text;
    },
    lines: async function* () {
      yield* lines;
      while (!out.includes(options.until ?? '')) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
    secret: async () => undefined,
    close: () => {},
  };
  const interrupted = options.interrupted ?? new AbortController().signal;
  const code = await chat(parsed, input, interrupted, join);
  return { code, out, error };
}

async function serve(): Promise<readonly string[]> {
  const server = await startServer({ port: 0, addresses: ['127.0.0.1'] });
  onTestFinished(() => server.close());
  return ['127.0.0.1', `${server.port}`, '100'];
}

it('two meet through a server, talk, and leave', async () => {
  const where = await serve();
  const [ada, bob] = await Promise.all([
    run([...where, '--name', 'Ada'], ['hello Bob'], { until: 'Bob: hello Ada' }),
    run([...where, '--name', 'Bob'], ['hello Ada'], { until: 'Ada: hello Bob' }),
  ]);
  expect([ada.code, bob.code]).toEqual([0, 0]);
  expect(ada.out).toMatch(/\* Bob: direct \(/);
});

it('two who are as behind symmetric NATs talk by the relay, with a phrase', async () => {
  const where = await serve();
  const args = [...where, '3', '--phrase', 'correct horse'];
  const [first, second] = await Promise.all([
    run(args, ['one'], { until: 'partner: two' }),
    run(args, ['two'], { until: 'partner: one' }),
  ]);
  expect([first.code, second.code]).toEqual([0, 0]);
  expect(first.out).toContain('partner is here and knows the phrase.');
  expect(first.out).toMatch(/\* partner: relay \(relay-udp/);
});

it('somebody without the phrase keeps no friend waiting in a room of two', async () => {
  const where = await serve();
  const over = new AbortController();
  const ada = run([...where, '--phrase', 'one'], ['secret'], { until: 'partner: hello' });
  let wasRefused = () => {};
  const refused = new Promise<void>((resolve) => {
    wasRefused = resolve;
  });
  const eve = run([...where, '--phrase', 'two'], [], {
    until: 'never',
    interrupted: over.signal,
    onOut: (text) => {
      if (text.includes('not let in')) wasRefused();
    },
  });
  await refused;
  const bob = run([...where, '--phrase', 'one'], ['hello'], { until: 'partner: secret' });
  expect([(await ada).code, (await bob).code]).toEqual([0, 0]);
  over.abort();
  expect((await eve).out).not.toContain('secret');
});

it('says in one sentence that nothing listens there', async () => {
  const server = await startServer({ port: 0, addresses: ['127.0.0.1'] });
  const port = `${server.port}`;
  await server.close();
  const { code, error } = await run(['127.0.0.1', port, '100'], [], { until: 'never' });
  expect(code).toBe(3);
  expect(error).toBe(
    `p2p-client: 127.0.0.1 port ${port} can't be reached: nothing listens there (ECONNREFUSED).\n`,
  );
});

it('is interrupted while it joins, and while it waits', async () => {
  const where = await serve();
  const first = new AbortController();
  const joining = run(where, [], { until: 'never', interrupted: first.signal });
  first.abort();
  expect((await joining).code).toBe(130);
  const second = new AbortController();
  const waiting = await run(where, [], {
    until: 'never',
    interrupted: second.signal,
    onOut: () => second.abort(),
  });
  expect(waiting).toMatchObject({ code: 130, error: '' });
});
