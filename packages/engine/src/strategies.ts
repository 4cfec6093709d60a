// The strategies a user can switch: the original client's flags -o -a -c -e -r -b.

export interface Strategies {
  /** One upload slot rotates among all interested peers, to find better ones and to let newcomers begin. */
  readonly optimisticUnchoking: boolean;
  /** A peer that has sent no block for a minute gets nothing but the optimistic slot, and one request at a time. */
  readonly antiSnubbing: boolean;
  /** Upload slots go to the peers that send most (BEP 3); without it everybody interested is served. */
  readonly choking: boolean;
  /** When all missing blocks are asked for, each is asked of every peer that has it. */
  readonly endGame: boolean;
  /** The pieces that the fewest peers have come first; without it they come in random order. */
  readonly rarestFirst: boolean;
  /** End game from the first block on: fastest for one file, and wasteful. */
  readonly bbsPlus: boolean;
}

export const defaultStrategies: Strategies = {
  optimisticUnchoking: true,
  antiSnubbing: true,
  choking: true,
  endGame: true,
  rarestFirst: true,
  bbsPlus: false,
};

/** None of them, as the original client began. */
export const plainStrategies: Strategies = {
  optimisticUnchoking: false,
  antiSnubbing: false,
  choking: false,
  endGame: false,
  rarestFirst: false,
  bbsPlus: false,
};
