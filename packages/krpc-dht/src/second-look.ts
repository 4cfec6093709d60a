// A second look around the target of a lookup, taken when some of the nearest nodes turned out to be dead: in the answers they
// held places of the eight, so that nodes a little farther away, which live, were told by nobody. The nearest nodes are asked
// for what is nearest to some points beside the target; their answers tell of the others.
import type { AddressFamily } from '@bt/endpoint';
import { CANDIDATE, type Candidates } from './candidates.ts';
import { ID_BITS, SECOND_LOOK_NODES, SECOND_LOOK_POINTS } from './constants.ts';
import type { Message } from './message.ts';
import { commonPrefixBits, compareDistance } from './node-id.ts';
import type { Overlay } from './overlay.ts';
import type { Querier } from './querier.ts';
import type { Query, QueryListener } from './transactions.ts';

export interface SecondLookOptions {
  readonly querier: Querier;
  readonly overlay: Overlay;
  readonly candidates: Candidates;
  readonly target: Uint8Array;
  /** How many nearest nodes the lookup wants. */
  readonly count: number;
  /** A node tells of others. */
  readonly onAnswer: (
    now: number,
    message: Message,
    teller: Uint8Array,
    family: AddressFamily,
  ) => void;
  /** Another query is no longer waited for. */
  readonly onProgress: (now: number) => void;
}

export class SecondLook implements QueryListener {
  queries = 0;
  readonly #options: SecondLookOptions;
  #pending = 0;

  constructor(options: SecondLookOptions) {
    this.#options = options;
  }

  get isOver(): boolean {
    return this.#pending === 0;
  }

  /** Asks; nobody when all of the nearest nodes have answered. */
  start(now: number): void {
    const { candidates, target, count } = this.#options;
    const nearest: number[] = [];
    let silent = 0;
    for (let place = 0; place < candidates.count && nearest.length < count; place++) {
      const slot = candidates.slotAt(place);
      if (candidates.state(slot) === CANDIDATE.answered) nearest.push(slot);
      else silent++;
    }
    if (silent === 0 || nearest.length < count) return;
    const nodes = nearest.map((slot) => candidates.copyNode(slot));
    // The farthest shares so many bits with the target, and whoever is missing as many or more. A point is the target with the
    // bit behind those turned over: around it lie the nodes that share just so many. Then one more, and so on.
    const bits = commonPrefixBits(target, 0, nodes[nodes.length - 1]!, 0);
    for (let i = 0; i < SECOND_LOOK_POINTS; i++) this.#askFor(now, nodes, bits + i);
  }

  onAnswer(now: number, query: Query, message: Message): void {
    if (!query.isSlow) this.#pending--;
    const { onAnswer, onProgress } = this.#options;
    if (message.type === 'response') onAnswer(now, message, query.node, query.family);
    onProgress(now);
  }

  onSlow(now: number): void {
    this.#pending--;
    this.#options.onProgress(now);
  }

  onFailure(): void {
    // It was slow before.
  }

  /** Asks the nodes nearest to the target with a bit turned over for what is nearest to that. */
  #askFor(now: number, nodes: readonly Uint8Array[], bit: number): void {
    if (bit >= ID_BITS) return;
    const { querier, overlay } = this.#options;
    const target = this.#options.target.slice();
    target[bit >> 3]! ^= 0x80 >> (bit & 7);
    const nearest = [...nodes].sort((a, b) => compareDistance(a, 0, b, 0, target, 0));
    for (const node of nearest.slice(0, SECOND_LOOK_NODES)) {
      if (!querier.send(now, { overlay, node, knowsId: true }, 'find_node', { target }, this))
        return;
      this.#pending++;
      this.queries++;
    }
  }
}
