import { describe, expect, it } from 'vitest';
import { FileStreams } from '../../src/node/file-streams.ts';
import { makeContent } from '../support/content.ts';

const { files } = makeContent(100_000, 65_536).info;

/** Streams of a torrent whose files are still being checked. */
function checking() {
  let isStopped = false;
  const streams = new FileStreams({
    files: () => files,
    act: () => {},
    isStopped: () => isStopped,
  });
  const stop = () => {
    isStopped = true;
    streams.close();
  };
  return { streams, stop };
}

describe('a stream that waits for the files to be checked', () => {
  it('ends at once when its signal is aborted', async () => {
    const { streams } = checking();
    const abort = new AbortController();
    const first = streams.open(0, { signal: abort.signal }).next();
    abort.abort(new Error('enough'));
    await expect(first).rejects.toMatchObject({ code: 'aborted', cause: new Error('enough') });
  });

  it('does not begin to wait for a signal that is aborted already', async () => {
    const { streams } = checking();
    const first = streams.open(0, { signal: AbortSignal.abort() }).next();
    await expect(first).rejects.toMatchObject({ code: 'aborted' });
  });

  it('ends when the torrent is stopped, and its signal is of no consequence afterwards', async () => {
    const { streams, stop } = checking();
    const abort = new AbortController();
    const first = streams.open(0, { signal: abort.signal }).next();
    stop();
    await expect(first).rejects.toMatchObject({ code: 'stopped' });
    abort.abort();
  });
});
