import { describe, expect, it } from 'vitest';
import { parseOptions } from '../src/options.ts';

const options = (...args: string[]) => parseOptions(args, '1.2.3');

it('takes flags anywhere', () => {
  const wanted = {
    command: 'chat',
    host: '127.0.0.1',
    port: 3478,
    pool: '100',
    natType: 3,
    name: 'Ada',
    phrase: 'correct horse',
    saveTo: undefined,
    maxFileBytes: 1024 ** 3,
    tls: false,
    json: true,
  };
  const flags = ['--name', 'Ada', '--phrase', 'correct horse', '--json'];
  expect(options('127.0.0.1', '3478', '100', '3', ...flags)).toEqual(wanted);
  expect(options(...flags, '127.0.0.1', '3478', '100', '3')).toEqual(wanted);
});

it('has a phrase typed where none is given', () => {
  expect(options('h', '1', '100', '--phrase')).toMatchObject({ phrase: true });
  expect(options('h', '1', '100')).toMatchObject({ phrase: undefined, natType: undefined });
});

it('knows the doctor', () => {
  expect(options('doctor', '::1', '3478')).toEqual({
    command: 'doctor',
    host: '::1',
    port: 3478,
    json: false,
  });
});

it('prints help and version', () => {
  expect(options('--help')).toMatchObject({ isError: false });
  expect(options('--version')).toEqual({ text: '1.2.3\n', isError: false });
  for (const args of [['--help'], ['doctor', '--help']]) {
    const { text } = options(...args) as { text: string };
    expect(text).toContain('Exit codes:');
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
  }
});

describe('says in one sentence what is wrong', () => {
  it.each([
    [[], /Missing required argument 'host'/],
    [['h', '0', '100'], /port of the server/],
    [['h', '70000', '100'], /port of the server/],
    [['h h', '1', '100'], /name or address/],
    [['300.1.1.1', '1', '100'], /name or address/],
    [['256.256.256.256', '1', '100'], /name or address/],
    [['127.0.0.1:1', '1', '100'], /as two words/],
    [['doctor', '300.1.1.1', '1'], /name or address/],
    [['h', '1', ''], /Name a pool/],
    [['h', '1', '100', '4'], /0, 1, 2 or 3/],
    [['h', '1', '100', '--name', 'x'.repeat(65)], /1 to 64 bytes/],
    [['h', '1', '100', '--name', '\u001b[31mred'], /without control characters/],
    [['h', '1', 'q\tq'], /without control characters/],
    [['h', '1', '100', '--max-file', 'big'], /size such as/],
    [['h', '1', '100', '--nonsense'], /unknown option/i],
    [['h', '1', '100', '1', 'more'], /too many arguments/i],
    [['doctor', 'h'], /Missing required argument 'port'/],
  ])('%j', (args, message) => {
    const printout = options(...args);
    expect(printout).toMatchObject({ isError: true });
    const { text } = printout as { text: string };
    expect(text).toMatch(message);
    expect(text).toMatch(/^p2p-client: .*\. See p2p-client( doctor)? --help\.\n$/);
  });
});
