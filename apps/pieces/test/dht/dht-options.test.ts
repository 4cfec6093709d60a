import { fromHex } from '@bt/metainfo';
import { describe, expect, it } from 'vitest';
import { type DhtCommand, parseDhtOptions } from '../../src/dht/dht-options.ts';

function command(...args: string[]): DhtCommand {
  const parsed = parseDhtOptions(args);
  if ('isError' in parsed) throw new Error(parsed.text);
  return parsed;
}

function complaint(...args: string[]): string {
  const parsed = parseDhtOptions(args);
  if (!('isError' in parsed) || !parsed.isError) throw new Error('it was taken');
  return parsed.text;
}

const TARGET = 'ab'.repeat(20);
const KEY = 'CD'.repeat(32);

describe('pieces dht', () => {
  it('is a node with limits, entered by the public routers', () => {
    expect(command()).toEqual({
      command: 'serve',
      bindAddress: undefined,
      port: 0,
      bootstrap: undefined,
      json: false,
      rateLimit: true,
      everyMs: 10_000,
    });
  });

  it('takes what it is told', () => {
    const args = ['--port', '6881', '--bind', '127.0.0.1', '--bootstrap', 'a:1,b:2'];
    expect(command(...args, '--no-rate-limit', '--json', '--every', '0.5')).toEqual({
      command: 'serve',
      bindAddress: '127.0.0.1',
      port: 6881,
      bootstrap: ['a:1', 'b:2'],
      json: true,
      rateLimit: false,
      everyMs: 500,
    });
  });

  it.each([
    [['--bootstrap', 'a:1'], ['a:1']],
    [
      ['-d', 'a:1,b:2'],
      ['a:1', 'b:2'],
    ],
    [
      ['--dht', 'a:1', '--bootstrap', 'b:2'],
      ['a:1', 'b:2'],
    ],
    [['-d'], undefined],
  ])('%j: entered by %j, whatever the option is called', (args, bootstrap) => {
    expect(command(...args)).toMatchObject({ command: 'serve', bootstrap });
    expect(command('get', TARGET, ...args)).toMatchObject({ command: 'get', bootstrap });
    expect(command('put', 'text', ...args)).toMatchObject({ command: 'put', bootstrap });
  });

  it('has a help with examples and exit codes for each command', () => {
    for (const args of [[], ['get'], ['put']]) {
      const parsed = parseDhtOptions([...args, '--help']);
      expect(parsed).toMatchObject({ isError: false });
      const { text } = parsed as { readonly text: string };
      for (const part of ['Usage: ', 'Examples:', 'codes: 0']) expect(text).toContain(part);
    }
  });

  it.each([
    [['fetch'], "Unknown command 'fetch'. See pieces dht --help."],
    [['--port', '70000'], 'Give a port from 0 (a free one) to 65535.'],
    [['--bootstrap', 'x'], 'x is no HOST:PORT'],
    [['--every', '0'], 'Give seconds, 0.1 or more.'],
  ])('%j is wrong', (args, sentence) => {
    expect(complaint(...args)).toContain(sentence);
  });
});

describe('pieces dht get', () => {
  it('takes a target, or a key and its salt', () => {
    expect(command('get', TARGET)).toMatchObject({
      command: 'get',
      key: fromHex(TARGET),
      salt: undefined,
    });
    expect(command('get', KEY, '--salt', 's', '--timeout', '2', '--bencoded')).toMatchObject({
      key: fromHex(KEY),
      salt: 's',
      timeoutMs: 2000,
      bencoded: true,
    });
  });

  it.each([
    [
      ['abcd'],
      'A target has 40 hexadecimal digits and a public key 64. See pieces dht get --help.',
    ],
    [[], "Missing required argument 'target|key'"],
    [[TARGET, '--salt', 's'], 'A salt goes with a public key'],
    [[KEY, '--salt', 'x'.repeat(65)], 'A salt has 1 to 64 bytes.'],
    [[TARGET, 'more'], "One item at a time: what is 'more'?"],
  ])('%j is wrong', (args, sentence) => {
    expect(complaint('get', ...args)).toContain(sentence);
  });
});

describe('pieces dht put', () => {
  it('takes a text or a file, and what a mutable item has', () => {
    expect(command('put', 'hello')).toMatchObject({ text: 'hello', keyFile: undefined });
    const args = ['--file', 'f', '--key', 'k', '--seq', '7', '--cas', '6', '--salt', 's'];
    expect(command('put', ...args)).toMatchObject({
      text: undefined,
      file: 'f',
      keyFile: 'k',
      sequence: 7n,
      compareSequence: 6n,
      salt: 's',
    });
  });

  it.each([
    [[], 'What is to be kept? Give a text, or a file with --file.'],
    [['a', '--file', 'f'], 'What is to be kept?'],
    [['hello', 'there', 'you'], "One text at a time, in quotes: 'hello there you'?"],
    [['hello', 'there', '--file', 'f'], 'One text at a time'],
    [['a', '--seq', '1'], '--seq, --cas and --salt go with --key.'],
    [['a', '--key', 'k', '--seq', '-1'], 'Give a number from 0 to'],
    [['a', '--key', 'k', '--seq', '9223372036854775808'], 'Give a number from 0 to'],
  ])('%j is wrong', (args, sentence) => {
    expect(complaint('put', ...args)).toContain(sentence);
  });
});
