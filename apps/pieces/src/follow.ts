// Follows one torrent from its start to its stop: shows what happens, and stops it when it is interrupted or hopeless.
import type { TorrentEvent, TorrentState } from '@bt/engine';
import type { TorrentHandle } from '@bt/engine/node';
import { DiskPatience } from './disk-patience.ts';
import type { Failure } from './exit-codes.ts';
import { type Absence, asFailure, nobodyFound } from './failures.ts';
import type { Options } from './options.ts';
import type { View } from './view/view.ts';

export interface Following {
  readonly options: Options;
  readonly view: View;
  readonly interrupted: AbortSignal;
  /** There is somebody to ask for peers; otherwise that is told, should something be missing. */
  readonly hasPeerSource: boolean;
  /** Why nobody may have been found; see `whyNobody`. */
  readonly whyNobody?: (state: TorrentState) => Absence;
  /** Called for each event, after it is shown. What it throws stops the torrent. */
  readonly onEvent?: (event: TorrentEvent) => Promise<void>;
}

/** Why the torrent had to be stopped, if it had. */
export async function follow(
  torrent: TorrentHandle,
  { options, view, interrupted, hasPeerSource, whyNobody, onEvent }: Following,
): Promise<Failure | undefined> {
  const disk = new DiskPatience(options.diskWaitMs);
  let failure: Failure | undefined;
  let isSeeding = false;
  let isWaitingTold = hasPeerSource;
  const stopWhen = onAbort(interrupted, () => {
    view.stopping();
    void torrent.stop();
  });
  for await (const event of torrent.events()) {
    view.event(event);
    if (!isWaitingTold && isSeeking(event)) {
      view.event({ type: 'warning', message: NOBODY_TO_ASK });
      isWaitingTold = true;
    }
    try {
      await onEvent?.(event);
    } catch (error) {
      failure ??= asFailure(error);
    }
    if (event.type === 'stopped' && event.error !== undefined) failure ??= asFailure(event.error);
    if (event.type === 'disk-error') disk.refused(event.error, performance.now());
    if (event.type === 'state' && event.state !== 'paused') disk.works();
    if (event.type === 'save-failed') disk.lost(event.error, performance.now());
    if (event.type === 'progress') disk.saved(event.stats.verifiedBytes);
    // A seed that loses a piece, as when a file is altered, goes on serving the others.
    if (event.type === 'done') isSeeding = options.seed;
    if (event.type === 'progress' && !isSeeding && isUseless(event.stats.uselessMs, options)) {
      const { state } = event.stats;
      failure ??= nobodyFound(options, state, whyNobody?.(state));
    }
    const verdict = disk.verdict(performance.now());
    if (verdict !== undefined) failure ??= asFailure(verdict);
    if (failure !== undefined) void torrent.stop();
  }
  stopWhen.remove();
  return failure;
}

const NOBODY_TO_ASK =
  'there is nobody to ask for peers, so that peers have to come: name one with --peer, or nodes of the DHT with -d unless the torrent is private';

function isSeeking(event: TorrentEvent): boolean {
  if (event.type !== 'state') return false;
  return event.state === 'downloading' || event.state === 'fetching-metadata';
}

function isUseless(uselessMs: number, { timeoutMs }: Options): boolean {
  return timeoutMs > 0 && uselessMs >= timeoutMs;
}

/** Calls back when the signal is aborted, also when it has been already. */
function onAbort(signal: AbortSignal, callback: () => void): { remove(): void } {
  if (signal.aborted) callback();
  else signal.addEventListener('abort', callback, { once: true });
  return { remove: () => signal.removeEventListener('abort', callback) };
}
