// What lookups find, beside what they should find: the nodes that live and are nearest to a target.
import { encodeCompact } from '@bt/endpoint';
import { compareDistance, randomId } from '../../src/index.ts';
import type { Swarm, SwarmNode } from './swarm.ts';

export interface LookupReport {
  readonly tries: number;
  /** Tries that found all of the 8 nearest. */
  readonly exact: number;
  /** Of the 8 nearest, how many were found in all tries together, as a share. */
  readonly found: number;
  readonly hops: Distribution;
  /** Queries that a lookup sent. */
  readonly queries: Distribution;
  /** Virtual milliseconds that a lookup took. */
  readonly milliseconds: Distribution;
}

export interface Distribution {
  readonly median: number;
  readonly p99: number;
}

const COUNT = 8;

/** Looks up `tries` random targets from random honest nodes, `atOnce` at a time. */
export function measureLookups(swarm: Swarm, tries: number, atOnce = 100): LookupReport {
  const living = swarm.nodes.filter((node) => !node.isDead);
  const honest = living.filter((node) => node.lies === undefined);
  const ids = living.map((node) => node.id);
  const hops: number[] = [];
  const queries: number[] = [];
  const milliseconds: number[] = [];
  let exact = 0;
  let found = 0;
  for (let done = 0; done < tries; ) {
    const begunAt = swarm.clock.now;
    const batch = Array.from({ length: Math.min(atOnce, tries - done) }, () => {
      const target = randomId(swarm.random);
      const node = swarm.pick(honest);
      return { target, node };
    });
    swarm
      .outcomes(
        batch.map(({ target, node }) => ({
          node,
          begin: (dht, now) => dht.findNode(now, target),
        })),
        () => milliseconds.push(swarm.clock.now - begunAt),
      )
      .forEach((outcome, i) => {
        const { target, node } = batch[i]!;
        if (outcome.type !== 'done' || outcome.kind !== 'find-node') return;
        const { closest, ...cost } = outcome.result;
        const nearest = nearestNodes(living, ids, target, node);
        const right = closest.filter((each, place) => {
          const wanted = nearest[place];
          return wanted !== undefined && compareDistance(wanted.id, 0, each.id, 0, target, 0) === 0;
        }).length;
        const present = closest.filter((each) =>
          nearest.some((other) => compareDistance(other.id, 0, each.id, 0, target, 0) === 0),
        ).length;
        if (right === COUNT) exact++;
        found += present / COUNT;
        hops.push(cost.hops);
        queries.push(cost.queries);
      });
    done += batch.length;
  }
  return {
    tries,
    exact,
    found: found / tries,
    hops: distribution(hops),
    queries: distribution(queries),
    milliseconds: distribution(milliseconds),
  };
}

/** Makes shares of the nodes die and lie: a liar tells of four nodes of the swarm and four that don't exist, all at random. */
export function corrupt(swarm: Swarm, deadShare: number, lyingShare: number): void {
  const { nodes, random } = swarm;
  for (const node of nodes) {
    const fate = random();
    if (fate < deadShare) node.die();
    else if (fate < deadShare + lyingShare) node.lies = () => lie(swarm);
  }
}

/**
 * Makes a share of the nodes censors: they name, in the networks of the nodes that are nearest to a target, nodes still nearer to it
 * which don't exist.
 */
export function censor(swarm: Swarm, share: number): void {
  const { nodes, random } = swarm;
  const ids = nodes.map(({ id }) => id);
  for (const node of nodes) {
    if (random() >= share) continue;
    node.lies = (target) => {
      const fakes = new Uint8Array(2 * COUNT * 26);
      nearestNodes(nodes, ids, target, node).forEach(({ id }, i) => {
        const { address } = nodes[ids.indexOf(id)]!.endpoint;
        for (const fake of [2 * i, 2 * i + 1]) {
          fakes.set(target, fake * 26);
          fakes[fake * 26 + 19]! ^= fake + 1;
          fakes.set(encodeCompact({ address, port: 1 + fake }), fake * 26 + 20);
          // Somebody else of the same /24.
          fakes[fake * 26 + 23]! ^= 1 + (fake & 1);
        }
      });
      return fakes;
    };
  }
}

function lie(swarm: Swarm): Uint8Array {
  const nodes = new Uint8Array(COUNT * 26);
  for (let i = 0; i < COUNT; i++) {
    if (i % 2 === 0) {
      const node = swarm.pick(swarm.nodes);
      nodes.set(node.id, i * 26);
      nodes.set(encodeCompact(node.endpoint), i * 26 + 20);
    } else {
      for (let at = i * 26; at < (i + 1) * 26; at++) nodes[at] = swarm.random() * 256;
    }
  }
  return nodes;
}

function nearestNodes(
  living: readonly SwarmNode[],
  ids: readonly Uint8Array[],
  target: Uint8Array,
  except: SwarmNode,
): { id: Uint8Array }[] {
  const nearest: Uint8Array[] = [];
  ids.forEach((id, i) => {
    if (living[i] === except) return;
    let place = nearest.length;
    while (place > 0 && compareDistance(id, 0, nearest[place - 1]!, 0, target, 0) < 0) place--;
    if (place >= COUNT) return;
    nearest.splice(place, 0, id);
    if (nearest.length > COUNT) nearest.pop();
  });
  return nearest.map((id) => ({ id }));
}

function distribution(values: number[]): Distribution {
  const sorted = values.sort((a, b) => a - b);
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
  return { median: at(0.5), p99: at(0.99) };
}
