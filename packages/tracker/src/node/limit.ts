// One limit for an exchange as a whole: the caller's signal and the time it may take.
import { TrackerError } from '../errors.ts';

/** Node fires a timer beyond this at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Runs `work` with a signal that aborts on the caller's or after `timeoutMs`, and rejects then, with the typed error that is
 * the signal's reason, whether or not `work` cares. What `work` throws after that is nobody's business.
 */
export async function withLimit<T>(
  timeoutMs: number,
  callerSignal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const { signal } = controller;
  const abort = () => {
    const cause = callerSignal?.reason;
    controller.abort(new TrackerError('aborted', 'the exchange was aborted', { cause }));
  };
  if (callerSignal?.aborted) abort();
  signal.throwIfAborted();
  callerSignal?.addEventListener('abort', abort, { once: true });
  const timer = setTimeout(
    () => {
      const error = new TrackerError('timeout', `the tracker took more than ${timeoutMs} ms`);
      controller.abort(error);
    },
    Math.min(Math.max(timeoutMs, 0), MAX_TIMER_MS),
  );
  try {
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
    return await Promise.race([work(signal), aborted]);
  } catch (error) {
    // The abort shows as any kind of error in what it interrupts.
    throw signal.aborted ? signal.reason : error;
  } finally {
    clearTimeout(timer);
    callerSignal?.removeEventListener('abort', abort);
    // Whatever is still under way, the slower of two families for one, ends here.
    controller.abort(new TrackerError('aborted', 'the exchange is over'));
  }
}
