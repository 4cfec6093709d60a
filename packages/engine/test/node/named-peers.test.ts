import { createServer } from 'node:net';
import type { Endpoint } from '@bt/endpoint';
import { describe, expect, it } from 'vitest';
import { MAX_LINK_NAMES, MAX_LINK_PEERS } from '../../src/limits.ts';
import { Connections } from '../../src/node/connections.ts';
import { Dialler } from '../../src/node/dial.ts';
import { findLinkPeers, resolvePeer } from '../../src/node/named-peers.ts';

/** A resolver that knows every name, and counts. */
function resolver() {
  const asked: string[] = [];
  let [underWay, mostUnderWay] = [0, 0];
  const lookupHost = async (host: string) => {
    asked.push(host);
    underWay += 1;
    mostUnderWay = Math.max(mostUnderWay, underWay);
    await Promise.resolve();
    underWay -= 1;
    if (host.startsWith('no-')) throw new Error('no such name');
    return [{ address: '93.184.216.34' }, { address: '2606:2800::1' }];
  };
  return { asked, lookupHost, mostUnderWay: () => mostUnderWay };
}

const printed = ({ address, port }: Endpoint) => `${address} ${port}`;

describe('a peer named by host and port', () => {
  it.each([
    ['192.0.2.7', undefined, ['192.0.2.7 1']],
    ['::ffff:192.0.2.7', undefined, ['192.0.2.7 1']],
    ['127.0.0.1', undefined, ['127.0.0.1 1']],
    ['peer.example', undefined, ['93.184.216.34 1', '2606:2800::1 1']],
    ['peer.example', '10.0.0.7', ['93.184.216.34 1', '2606:2800::1 1']],
    ['127.0.0.9', '127.0.0.1', ['127.0.0.9 1']],
    ['localhost', '127.0.0.1', ['127.0.0.1 1', '::1 1']],
    ['LOCALHOST.', '::1', ['127.0.0.1 1', '::1 1']],
  ])('%s, from %s, is at %j', async (host, bindAddress, expected) => {
    const { lookupHost } = resolver();
    const found = await resolvePeer(host, 1, bindAddress, lookupHost);
    expect(found.map(printed)).toEqual(expected);
  });

  it.each([
    ['192.0.2.7', '127.0.0.1'],
    ['10.0.0.7', '::1'],
    ['peer.example', '127.0.0.1'],
    ['localhost.example', '127.0.0.1'],
    ['no-peer.example', undefined],
  ])('%s, from %s, is nowhere', async (host, bindAddress) => {
    const { lookupHost, asked } = resolver();
    await expect(resolvePeer(host, 1, bindAddress, lookupHost)).rejects.toMatchObject({
      name: 'EngineError',
      code: 'bad-argument',
    });
    expect(asked).toEqual(bindAddress === undefined ? [host] : []);
  });
});

describe('the peers of a magnet link', () => {
  async function found(hosts: readonly string[], bindAddress?: string) {
    const { lookupHost, asked, mostUnderWay } = resolver();
    const peers = hosts.map((host, index) => ({ host, port: index + 1 }));
    const endpoints: Endpoint[] = [];
    await findLinkPeers(peers, {
      bindAddress,
      isStopped: () => false,
      found: (more) => endpoints.push(...more),
      lookupHost,
    });
    return { found: endpoints.map(printed), asked, mostUnderWay: mostUnderWay() };
  }

  it('are found, names one by one, and one that is not found is one less', async () => {
    const names = ['a.example', 'no-b.example', 'c.example'];
    const result = await found(['192.0.2.7', ...names]);
    expect(result).toMatchObject({ asked: names, mostUnderWay: 1 });
    expect(result.found).toContain('192.0.2.7 1');
    expect(result.found).toContain('93.184.216.34 4');
    expect(result.found).toHaveLength(5);
  });

  it('are so many, and so many of them names', async () => {
    const addresses = Array.from({ length: 2 * MAX_LINK_PEERS }, (_, i) => `192.0.2.${i}`);
    expect((await found(addresses)).found).toHaveLength(MAX_LINK_PEERS);
    const names = Array.from({ length: 2 * MAX_LINK_PEERS }, (_, i) => `peer-${i}.example`);
    expect((await found(names)).asked).toHaveLength(MAX_LINK_NAMES);
    expect((await found([...names, '192.0.2.7'])).found).toHaveLength(2 * MAX_LINK_NAMES);
  });

  it('are on loopback alone where the session is', async () => {
    const result = await found(['192.0.2.7', 'peer.example', '127.0.0.1'], '127.0.0.1');
    expect(result).toMatchObject({ found: ['127.0.0.1 3'], asked: [] });
  });

  it('are looked for no more when the torrent is stopped', async () => {
    const { lookupHost, asked } = resolver();
    await findLinkPeers(
      ['a.example', 'b.example', 'c.example'].map((host) => ({ host, port: 1 })),
      {
        bindAddress: undefined,
        isStopped: () => asked.length > 0,
        found: () => {},
        lookupHost,
      },
    );
    expect(asked).toEqual(['a.example']);
  });
});

describe('a dialler that is bound to loopback', () => {
  it.each(['192.0.2.7', '10.0.0.7'])('does not try to reach %s', async (address) => {
    const dialler = new Dialler('127.0.0.1', new Connections());
    const message = await new Promise((resolve) =>
      dialler.dial(
        { address, port: 9 },
        {
          onConnected: () => false,
          onFailed: resolve,
          onBytes: () => {},
          onWritable: () => {},
          onClosed: () => {},
        },
      ),
    );
    expect(message).toBe('not reached from 127.0.0.1, which the session is bound to');
    dialler.close();
  });

  it('reaches what is there', async () => {
    const server = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const dialler = new Dialler('127.0.0.2', new Connections());
    await new Promise<void>((resolve, reject) =>
      dialler.dial(
        { address: '127.0.0.1', port },
        {
          onConnected: () => {
            resolve();
            return false;
          },
          onFailed: reject,
          onBytes: () => {},
          onWritable: () => {},
          onClosed: () => {},
        },
      ),
    );
    dialler.close();
    server.close();
  });
});
