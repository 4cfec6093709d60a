import type { TorrentEvent } from '@bt/engine';
import type { TorrentHandle } from '@bt/engine/node';
import { describe, expect, it } from 'vitest';
import { type Following, follow } from '../src/follow.ts';

/** A torrent that tells of these events, whether it is stopped or not. */
async function followed(events: readonly unknown[], seed: boolean) {
  let stops = 0;
  const torrent = {
    async *events() {
      yield* events as TorrentEvent[];
    },
    stop: async () => {
      stops += 1;
    },
  } as unknown as TorrentHandle;
  const view = { event: () => {} };
  const options = { timeoutMs: 8_000, diskWaitMs: 60_000, peers: [], seed };
  const following = { options, view, interrupted: new AbortController().signal };
  const failure = await follow(torrent, following as unknown as Following);
  return { failure, stops };
}

const uselessFor = (uselessMs: number) => ({
  type: 'progress',
  stats: { uselessMs, state: 'downloading', verifiedBytes: 0 },
});

describe('a torrent that nobody has anything for', () => {
  it('is stopped after the time that the user gives it', async () => {
    expect(await followed([uselessFor(7_000)], false)).toEqual({ failure: undefined, stops: 0 });
    const { failure, stops } = await followed([uselessFor(8_000)], true);
    expect(failure?.message).toMatch(/Nobody/);
    expect(stops).toBe(1);
  });

  it('goes on when it has been complete and is to be seeded', async () => {
    const events = [{ type: 'done' }, uselessFor(600_000)];
    expect(await followed(events, true)).toEqual({ failure: undefined, stops: 0 });
    expect((await followed(events, false)).stops).toBe(1);
  });
});
