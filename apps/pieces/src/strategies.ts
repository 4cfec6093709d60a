// Which strategies a run uses. Apart from the options, so that `--help` doesn't have to load the engine.
import { defaultStrategies, plainStrategies, type Strategies } from '@bt/engine';
import type { Options } from './options.ts';

/** What the flags say, over the defaults or, with `--plain`, over none. */
export function strategiesOf({ plain, strategies }: Options): Strategies {
  return { ...(plain ? plainStrategies : defaultStrategies), ...strategies };
}
