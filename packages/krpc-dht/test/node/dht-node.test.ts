import { afterEach, expect, it } from 'vitest';
import { type CreateDhtOptions, createDht, type DhtNode } from '../../src/node/index.ts';

const open: DhtNode[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((node) => node.close()));
});

async function start(options: CreateDhtOptions = {}): Promise<DhtNode> {
  const node = await createDht({ bind: '127.0.0.1', ...options });
  open.push(node);
  return node;
}

/** Nodes on loopback that know each other by the first one. */
async function startNetwork(count: number): Promise<DhtNode[]> {
  const first = await start();
  const bootstrap = [`127.0.0.1:${first.port}`];
  const nodes = [first];
  for (let i = 1; i < count; i++) {
    const node = await start({ bootstrap });
    await node.findNode(node.id()!);
    nodes.push(node);
  }
  return nodes;
}

it('finds the peers that others have announced', async () => {
  const nodes = await startNetwork(12);
  const infoHash = new Uint8Array(20).fill(0x42);
  const { stored } = await nodes[3]!.announce(infoHash, { port: 5001 });
  expect(stored).toBe(8);
  await nodes[4]!.announce(infoHash, { port: 0, impliedPort: true });

  const peers = [];
  for await (const peer of nodes[9]!.getPeers(infoHash)) peers.push(peer);
  expect(peers).toHaveLength(2);
  expect(peers).toContainEqual({ address: '127.0.0.1', port: 5001 });
  expect(peers).toContainEqual({ address: '127.0.0.1', port: nodes[4]!.port });
});
