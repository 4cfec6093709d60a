import { describe, expect, it } from 'vitest';
import { PUBLIC_ROUTERS, parseEntries, resolveEntry } from '../../src/node/bootstrap.ts';

const [entry] = parseEntries(['node.example:6881']);
const lookup =
  (...addresses: string[]) =>
  async () =>
    addresses.map((address) => ({ address }));

describe('an entry', () => {
  it('is HOST:PORT; the public routers are known as such', () => {
    expect(parseEntries(['[::1]:1', '192.0.2.1:2', PUBLIC_ROUTERS[0]])).toEqual([
      { host: '::1', port: 1, isRouter: false },
      { host: '192.0.2.1', port: 2, isRouter: false },
      { host: 'router.bittorrent.com', port: 6881, isRouter: true },
    ]);
    expect(() => parseEntries(['192.0.2.1'])).toThrow(
      expect.objectContaining({ code: 'invalid-argument' }),
    );
  });

  it('has all addresses that its name has', async () => {
    const nodes = await resolveEntry(entry!, false, lookup('192.0.2.1', '2001:DB8::1', 'rubbish'));
    expect(nodes).toEqual([
      { address: '192.0.2.1', port: 6881, isRouter: false },
      { address: '2001:db8::1', port: 6881, isRouter: false },
    ]);
  });

  it('has none when the resolver fails', async () => {
    const failing = async () => {
      throw new Error('ENOTFOUND');
    };
    expect(await resolveEntry(entry!, false, failing)).toEqual([]);
  });

  it('from loopback has loopback addresses alone, and no resolver is asked', async () => {
    const forbidden = async () => {
      throw new Error('asked');
    };
    const resolve = (text: string) => resolveEntry(parseEntries([text])[0]!, true, forbidden);
    expect(await resolve('127.0.0.2:1')).toHaveLength(1);
    expect(await resolve('LOCALHOST:1')).toHaveLength(2);
    expect(await resolve('192.0.2.1:1')).toEqual([]);
    expect(await resolve('node.example:1')).toEqual([]);
  });
});
