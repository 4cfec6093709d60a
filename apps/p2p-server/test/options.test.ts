import { describe, expect, it } from 'vitest';
import { type Options, parseOptions } from '../src/options.ts';

const parse = (...args: string[]) => parseOptions(args, '1.2.3');

describe('parseOptions', () => {
  it('takes a port, and has a default for everything else', () => {
    expect(parse('3478')).toEqual({
      port: 3478,
      bindAddresses: undefined,
      alternateAddress: undefined,
      relayAddress: undefined,
      tls: undefined,
      users: new Map(),
      realm: 'p2p',
      allowPeers: [],
      quota: undefined,
      bytesPerSecond: undefined,
      totalBytesPerSecond: undefined,
      roomSize: 2,
      redis: undefined,
      metrics: undefined,
      json: false,
    });
  });

  it('takes flags before and behind the port', () => {
    const options = parse(
      ...['--json', '--bind', '192.0.2.1', '--bind', '::1', '--room-size', '16', '443'],
      ...['--alt-ip', '192.0.2.2', '--relay-ip', '198.51.100.1', '--cert', 'c', '--key', 'k'],
      ...['--turn-user', 'alice:a:b', '--turn-user', 'bob:x', '--realm', 'example.org'],
      ...['--allow-peer', '10.0.0.0/8', '--allow-peer', 'fd00::/8', '--quota', '5'],
      ...['--user-rate', '4', '--max-relay-rate', '100'],
      ...['--redis', 'redis://127.0.0.1', '--metrics', '[::1]:9090'],
    );
    expect(options).toEqual({
      port: 443,
      bindAddresses: ['192.0.2.1', '::1'],
      alternateAddress: '192.0.2.2',
      relayAddress: '198.51.100.1',
      tls: { cert: 'c', key: 'k' },
      users: new Map([
        ['alice', 'a:b'],
        ['bob', 'x'],
      ]),
      realm: 'example.org',
      allowPeers: ['10.0.0.0/8', 'fd00::/8'],
      quota: 5,
      bytesPerSecond: 4 * 2 ** 20,
      totalBytesPerSecond: 100 * 2 ** 20,
      roomSize: 16,
      redis: 'redis://127.0.0.1',
      metrics: { address: '::1', port: 9090 },
      json: true,
    } satisfies Options);
  });

  it.each([
    [[]],
    [['65535']],
    [['-1']],
    [['3478x']],
    [['3478', '3479']],
    [['3478', '--bind', 'localhost']],
    [['3478', '--alt-ip', '1.2.3']],
    [['3478', '--cert', 'c']],
    [['3478', '--key', 'k']],
    [['3478', '--turn-user', 'alice']],
    [['3478', '--turn-user', ':x']],
    [['3478', '--turn-user', 'alice:']],
    [['3478', '--realm', '']],
    [['3478', '--realm', 'x'.repeat(33)]],
    [['3478', '--allow-peer', '10.0.0.0/33']],
    [['3478', '--quota', '0']],
    [['3478', '--user-rate', '0.5']],
    [['3478', '--max-relay-rate', 'fast']],
    [['3478', '--room-size', '1']],
    [['3478', '--room-size', '17']],
    [['3478', '--redis', 'http://127.0.0.1']],
    [['3478', '--redis', 'localhost:6379']],
    [['3478', '--redis', 'redis://127.0.0.1:6379/foo']],
    [['3478', '--metrics', '9090']],
    [['3478', '--unknown']],
  ])('refuses %j in one sentence', (args) => {
    const printout = parse(...args);
    expect(printout).toMatchObject({ isError: true });
    expect((printout as { text: string }).text).toMatch(
      /^p2p-server: [^\n]+\. See p2p-server --help\.\n$/,
    );
  });

  it('prints help with examples and exit codes, and the version', () => {
    const { text, isError } = parse('--help') as { text: string; isError: boolean };
    expect(isError).toBe(false);
    for (const part of ['Examples:', 'Exit codes:', '--turn-user', '--metrics']) {
      expect(text).toContain(part);
    }
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
    expect(parse('--version')).toEqual({ text: '1.2.3\n', isError: false });
  });
});
