import { StorageError } from '@bt/storage';
import { describe, expect, it } from 'vitest';
import { Completion } from '../src/completion.ts';
import { BareTorrent } from './support/bare-torrent.ts';
import { makeContent } from './support/content.ts';

const PIECE_BYTES = 65_536;

describe('a completion', () => {
  it('is news once, and again after something was fetched', () => {
    const completion = new Completion(0, false, false);
    completion.fetched();
    expect(completion.reached(1000)).toBe(true);
    completion.lacking();
    expect(completion.doneMs).toBeUndefined();
    expect(completion.reached(2000)).toBe(false);
    expect(completion.doneMs).toBe(1000);
    completion.lacking();
    completion.fetched();
    expect(completion.reached(3000)).toBe(true);
    expect(completion.doneMs).toBe(3000);
  });

  it('is news again when other files were chosen, though nothing had to come', () => {
    const completion = new Completion(0, true, false);
    completion.lacking();
    completion.selected();
    expect(completion.reached(1000)).toBe(true);
  });

  it('is told to trackers once, and only of a download', () => {
    const found = new Completion(0, false, false);
    expect(found.completed()).toBe(false);
    found.fetched();
    expect(found.completed()).toBe(false);
    const seeded = new Completion(0, true, true);
    seeded.fetched();
    expect(seeded.completed()).toBe(false);
    const downloaded = new Completion(0, false, false);
    downloaded.fetched();
    expect([downloaded.completed(), downloaded.completed()]).toEqual([true, false]);
  });
});

describe('a seeded file that somebody has touched', () => {
  function seeding() {
    const bare = new BareTorrent({
      content: makeContent(2 * PIECE_BYTES, PIECE_BYTES),
      have: Uint8Array.of(0xc0),
      announceTiers: [['http://10.9.9.9/announce']],
    });
    bare.disk.verifyPiece = () => {};
    const announced: (string | undefined)[] = [];
    const told: string[] = [];
    const drain = () => {
      for (const effect of bare.effects()) {
        if (effect.type === 'announce') {
          announced.push(effect.request.event);
          const response = { intervalSeconds: 1800, minIntervalSeconds: 60, peers: [] };
          bare.torrent.handleAnnounced(bare.now, effect.requestId, effect.url, response);
          drain();
        } else if (effect.type === 'event') {
          const { event } = effect;
          if (event.type === 'state') told.push(event.state);
          if (event.type === 'done') told.push('done');
        }
      }
    };
    bare.torrent.start(0);
    drain();
    const touch = () => {
      const error = new StorageError('changed', 'another program wrote to the file');
      bare.torrent.handleFileChanged(bare.now, 0, error);
    };
    return { bare, announced, told, drain, touch };
  }

  it('is not called complete again when it is right', () => {
    const { bare, announced, told, drain, touch } = seeding();
    bare.runTo(10_000);
    const before = bare.torrent.stats(bare.now);
    touch();
    for (const piece of [0, 1]) bare.torrent.handlePieceVerified(bare.now, piece, true);
    drain();
    bare.runTo(20_000);
    drain();
    expect(told).toEqual(['seeding', 'done', 'downloading', 'seeding']);
    expect(announced).toEqual(['started']);
    expect(bare.torrent.stats(bare.now).downloadingMs).toBe(before.downloadingMs);
  });

  it('is called complete again when some of it had to be fetched, but not to trackers', () => {
    const { bare, announced, told, drain, touch } = seeding();
    touch();
    bare.torrent.handlePieceVerified(bare.now, 0, true);
    bare.torrent.handlePieceVerified(bare.now, 1, false);
    bare.torrent.handlePieceSaved(bare.now, 1, { outcome: 'saved' });
    drain();
    expect(told).toEqual(['seeding', 'done', 'downloading', 'seeding', 'done']);
    expect(announced).toEqual(['started']);
  });
});
