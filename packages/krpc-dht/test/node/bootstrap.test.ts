import { describe, expect, it } from 'vitest';
import {
  literalNodes,
  PUBLIC_ROUTERS,
  parseEntries,
  resolveName,
} from '../../src/node/bootstrap.ts';

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
    const nodes = await resolveName(entry!, lookup('192.0.2.1', '2001:DB8::1', 'rubbish'));
    expect(nodes).toEqual([
      { address: '192.0.2.1', port: 6881, isRouter: false },
      { address: '2001:db8::1', port: 6881, isRouter: false },
    ]);
  });

  it('has none when the resolver fails', async () => {
    const failing = async () => {
      throw new Error('ENOTFOUND');
    };
    expect(await resolveName(entry!, failing)).toEqual([]);
  });

  it('that is an address needs no resolver', () => {
    const known = literalNodes(parseEntries(['192.0.2.1:1'])[0]!, false);
    expect(known).toEqual([{ address: '192.0.2.1', port: 1, isRouter: false }]);
    expect(literalNodes(entry!, false)).toBe(undefined);
    expect(literalNodes(parseEntries(['localhost:1'])[0]!, false)).toBe(undefined);
  });

  it('from loopback has loopback addresses alone, and needs no resolver', () => {
    const known = (text: string) => literalNodes(parseEntries([text])[0]!, true);
    expect(known('127.0.0.2:1')).toHaveLength(1);
    expect(known('LOCALHOST:1')).toHaveLength(2);
    expect(known('192.0.2.1:1')).toEqual([]);
    expect(known('node.example:1')).toEqual([]);
  });
});
