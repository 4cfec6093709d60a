import { describe, expect, it } from 'vitest';
import { resolveHost } from '../../src/node/resolve.ts';

const resolve = (host: string, localAddress?: string, found: string[] = []) =>
  resolveHost(host, {
    localAddress,
    lookupHost: async () => found.map((address) => ({ address })),
  });
const v4 = (address: string) => ({ address, family: 4 });
const v6 = (address: string) => ({ address, family: 6 });

describe('resolveHost', () => {
  it('takes addresses as they are, without asking', async () => {
    expect(await resolve('192.0.2.1')).toEqual([v4('192.0.2.1')]);
    expect(await resolve('2001:DB8::1')).toEqual([v6('2001:db8::1')]);
    expect(await resolve('::ffff:192.0.2.1')).toEqual([v4('192.0.2.1')]);
  });

  it('gives all addresses of a name in the order of the resolver, those that are none left out', async () => {
    const found = ['2001:db8::1', '192.0.2.1', 'fe80::1%eth0', 'x', '::ffff:192.0.2.2'];
    expect(await resolve('t.example', undefined, found)).toEqual([
      v6('2001:db8::1'),
      v4('192.0.2.1'),
      v4('192.0.2.2'),
    ]);
  });

  it('gives those of the family of the local address', async () => {
    const found = ['2001:db8::1', '192.0.2.1'];
    expect(await resolve('t.example', '10.0.0.1', found)).toEqual([v4('192.0.2.1')]);
    expect(await resolve('t.example', '::', found)).toEqual([v6('2001:db8::1')]);
    await expect(resolve('192.0.2.1', '::')).rejects.toMatchObject({ code: 'connection' });
  });

  it('from loopback knows loopback only', async () => {
    expect(await resolve('localhost', '127.0.0.1')).toEqual([v4('127.0.0.1')]);
    expect(await resolve('LOCALHOST.', '::1')).toEqual([v6('::1')]);
    expect(await resolve('127.3.3.3', '127.0.0.1')).toEqual([v4('127.3.3.3')]);
    for (const host of ['t.example', '192.0.2.1', 'localhost.example']) {
      await expect(resolve(host, '127.0.0.1', ['127.0.0.1'])).rejects.toMatchObject({
        code: 'connection',
      });
    }
  });

  it('asks the system when nobody else is named', async () => {
    const addresses = await resolveHost('localhost', { localAddress: undefined });
    expect(addresses.every(({ address }) => ['127.0.0.1', '::1'].includes(address))).toBe(true);
    expect(addresses).not.toHaveLength(0);
  });
});
