import { createRandom } from '@bt/simulator';
import { describe, expect, it } from 'vitest';
import { Announcing } from '../src/announcing.ts';
import { ExternalAddress } from '../src/discovery/external-address.ts';

const hashes = [1, 2, 3].map((byte) => new Uint8Array(20).fill(byte));

function setUp() {
  const announcing = new Announcing({
    tiers: [['http://tracker.example/announce']],
    random: createRandom(1),
    peerId: new Uint8Array(20),
    listenPort: 6881,
    external: new ExternalAddress(),
  });
  /** What is to be announced: the first byte of each info-hash, and the id of the request. */
  const drain = () => {
    const announced: [hash: number, requestId: number][] = [];
    for (;;) {
      const effect = announcing.poll();
      if (effect === undefined) return announced;
      if (effect.type !== 'announce') continue;
      announced.push([effect.request.infoHash[0]!, effect.requestId]);
    }
  };
  return { announcing, drain };
}

const nobody = { intervalSeconds: 60, peers: [] };

describe('announcing a hybrid torrent', () => {
  it('tells each tracker of both swarms, and knows whose answer is whose', () => {
    const { announcing, drain } = setUp();
    for (const hash of hashes.slice(0, 2)) announcing.join(0, hash);
    announcing.start(0);
    const announced = drain();
    expect(announced.map(([hash]) => hash)).toEqual([1, 2]);
    for (const [hash, requestId] of announced) {
      expect(announcing.answered(10, requestId, nobody)[0]).toBe(hash);
    }
    announcing.handleTimeout(70_000);
    expect(drain().map(([hash]) => hash)).toEqual([1, 2]);
    announcing.stop(71_000);
    expect(announcing.isStopped).toBe(false);
  });

  it('goes on with the second swarm when it becomes known, once, and with no third', () => {
    const { announcing, drain } = setUp();
    announcing.join(0, hashes[0]!);
    announcing.start(0);
    announcing.peersNeeded(0, true);
    expect(drain().map(([hash]) => hash)).toEqual([1]);
    for (const hash of [hashes[0]!, hashes[1]!, hashes[1]!, hashes[2]!]) announcing.join(50, hash);
    expect(drain().map(([hash]) => hash)).toEqual([2]);
  });
});
