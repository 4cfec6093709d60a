import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { withLimit } from '../../src/node/limit.ts';

const never = () => new Promise<never>(() => undefined);

describe('withLimit', () => {
  it('hands through what the work gives or throws', async () => {
    expect(await withLimit(1000, undefined, async () => 5)).toBe(5);
    const error = new Error('own');
    await expect(withLimit(1000, undefined, () => Promise.reject(error))).rejects.toBe(error);
  });

  it('ends work that does not listen', async () => {
    await expect(withLimit(5, undefined, never)).rejects.toMatchObject({ code: 'timeout' });
    const controller = new AbortController();
    const work = withLimit(60_000, controller.signal, never);
    controller.abort(new Error('enough'));
    await expect(work).rejects.toMatchObject({ code: 'aborted', cause: { message: 'enough' } });
  });

  it('does not begin work for an aborted caller', async () => {
    let begun = false;
    const work = withLimit(1000, AbortSignal.abort(), async () => {
      begun = true;
    });
    await expect(work).rejects.toMatchObject({ code: 'aborted' });
    expect(begun).toBe(false);
  });

  it('tells the work of the end, and why, whatever it then throws', async () => {
    const work = withLimit(5, undefined, (signal) => {
      return new Promise<never>((_, reject) => {
        signal.addEventListener('abort', () => reject(new Error('odd')));
      });
    });
    await expect(work).rejects.toMatchObject({ code: 'timeout' });
    let afterwards: AbortSignal | undefined;
    await withLimit(1000, undefined, async (signal) => {
      afterwards = signal;
    });
    expect(afterwards?.aborted).toBe(true);
  });

  it('takes any limit: Node would fire a timer beyond 2^31 - 1 ms at once', async () => {
    for (const limit of [2 ** 31, 2 ** 53, Number.POSITIVE_INFINITY]) {
      const work = withLimit(
        limit,
        undefined,
        () => new Promise((resolve) => setTimeout(resolve, 5, 'done')),
      );
      expect(await work).toBe('done');
    }
  });

  it('leaves nothing behind on the caller signal', async () => {
    const { signal } = new AbortController();
    for (let i = 0; i < 20; i++) await withLimit(1000, signal, async () => i);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });
});
