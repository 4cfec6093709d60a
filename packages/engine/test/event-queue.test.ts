import { describe, expect, it } from 'vitest';
import type { TorrentEvent } from '../src/index.ts';
import { MAX_QUEUED_EVENTS } from '../src/limits.ts';
import { EventQueue } from '../src/node/event-queue.ts';
import { BareTorrent } from './support/bare-torrent.ts';

async function read(queue: EventQueue): Promise<TorrentEvent[]> {
  queue.end();
  const events: TorrentEvent[] = [];
  for await (const event of queue) events.push(event);
  return events;
}

const piece = (pieceIndex: number): TorrentEvent => ({ type: 'piece', pieceIndex });

describe('events that nobody reads', () => {
  it('are bounded in number: the oldest go first', async () => {
    const queue = new EventQueue(() => {});
    for (let index = 0; index < MAX_QUEUED_EVENTS + 5; index += 1) queue.push(piece(index));
    const events = await read(queue);
    expect(events).toHaveLength(MAX_QUEUED_EVENTS);
    expect(events[0]).toEqual(piece(5));
    expect(events.at(-1)).toEqual(piece(MAX_QUEUED_EVENTS + 4));
  });

  it('lose the statistics before anything else', async () => {
    const queue = new EventQueue(() => {});
    const progress: TorrentEvent = { type: 'progress', stats: new BareTorrent().torrent.stats(0) };
    for (let index = 0; index < MAX_QUEUED_EVENTS - 1; index += 1) {
      if (index === 100) queue.push(progress);
      queue.push(piece(index));
    }
    queue.push(piece(MAX_QUEUED_EVENTS));
    const events = await read(queue);
    expect(events).toHaveLength(MAX_QUEUED_EVENTS);
    expect(events[0]).toEqual(piece(0));
    expect(events).not.toContain(progress);
  });

  it('lose pieces and files before what is told of the torrent', async () => {
    const queue = new EventQueue(() => {});
    const checked: TorrentEvent = {
      type: 'checked',
      piecesHave: 0,
      pieceCount: 1,
      verifiedBytes: 0,
    };
    queue.push(checked);
    for (let fileIndex = 0; fileIndex < MAX_QUEUED_EVENTS; fileIndex += 1) {
      queue.push({ type: 'file', fileIndex });
    }
    const events = await read(queue);
    expect(events).toHaveLength(MAX_QUEUED_EVENTS);
    expect(events[0]).toEqual(checked);
    expect(events[1]).toEqual({ type: 'file', fileIndex: 1 });
  });
});
