// A node and strangers around it, for tests of the whole machine.
import { createRandom } from '@bt/simulator';
import { Dht, type DhtEffect, type DhtOptions, randomId } from '../src/index.ts';
import { id } from './bytes.ts';
import { drain, type Sent, Stranger } from './stranger.ts';

export const random = createRandom(11);

export function makeDht(options: Partial<DhtOptions> = {}): Dht {
  return new Dht({ random: createRandom(2), id: id(0), ...options });
}

export function neighbour(i: number, nodeId: Uint8Array = randomId(random)): Stranger {
  return new Stranger(nodeId, { address: `10.0.${i >> 8}.${i & 255}`, port: 1000 + i });
}

export const neighbours = (count: number) =>
  Array.from({ length: count }, (_, i) => neighbour(i + 1));

/** Runs time on, in steps that no deadline is passed by, and gives what was sent and told. */
export function runUntil(
  dht: Dht,
  from: number,
  until: number,
): { sent: Sent[]; effects: DhtEffect[] } {
  const all = drain(dht);
  for (let now = dht.deadline(); now <= until; now = Math.max(dht.deadline(), now + 1)) {
    dht.handleTimeout(Math.max(now, from));
    const { sent, effects } = drain(dht);
    all.sent.push(...sent);
    all.effects.push(...effects);
  }
  return all;
}
