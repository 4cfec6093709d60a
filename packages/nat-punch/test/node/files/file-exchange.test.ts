import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  decodeFileFrame,
  encodeFileFrame,
  type FileFrame,
  MAX_CHUNK_BYTES,
} from '../../../src/chat/chat-frame.ts';
import {
  FILE_STALL_MS,
  FileExchange,
  type IncomingTransfer,
} from '../../../src/node/files/file-exchange.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bt-file-exchange-'));
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
});
afterEach(async () => {
  vi.useRealTimers();
  await rm(folder, { recursive: true, force: true });
});

/** One end, and a member that sends what the test says. */
function meet() {
  const offers: IncomingTransfer[] = [];
  const sent: FileFrame[] = [];
  const exchange = new FileExchange({
    memberName: () => '',
    send: (message) => void sent.push(decodeFileFrame(message)),
    hasRoom: () => true,
    onOffer: (offer) => void offers.push(offer),
  });
  const say = (frame: FileFrame) => exchange.handleMessage(encodeFileFrame(frame));
  const offer = (transfer: number, lengthBytes: number) =>
    say({ type: 'offer', transfer, lengthBytes, key: new Uint8Array(16), name: 'x' });
  const heard = (type: string, count = 1) =>
    vi.waitFor(() => expect(sent.filter((frame) => frame.type === type)).toHaveLength(count), {
      timeout: 60_000,
    });
  return { exchange, offers, sent, say, offer, heard };
}

describe('when no more files are taken', () => {
  it('refuses what is on offer, and what is offered later', async () => {
    const { exchange, offers, sent, offer } = meet();
    await offer(1, 5);
    await exchange.takeNoMore();
    await offer(2, 5);
    expect(offers).toHaveLength(1);
    expect(await offers[0]?.ended).toEqual({ reason: 'declined' });
    expect(sent).toEqual([
      { type: 'refuse', transfer: 1, reason: 'declined' },
      { type: 'refuse', transfer: 2, reason: 'declined' },
    ]);
  });

  it('waits for a file that comes', async () => {
    const { exchange, offers, say, offer, heard } = meet();
    await offer(1, 3 * MAX_CHUNK_BYTES);
    offers[0]?.accept(folder);
    await heard('accept');
    const over = exchange.takeNoMore();
    await say({ type: 'begin', transfer: 1, offset: 0 });
    const chunk = new Uint8Array(MAX_CHUNK_BYTES);
    for (let count = 0; count < 3; count += 1) {
      await say({ type: 'chunk', transfer: 1, bytes: chunk });
      vi.advanceTimersByTime(FILE_STALL_MS);
    }
    const hash = await crypto.subtle.digest('SHA-256', new Uint8Array(3 * MAX_CHUNK_BYTES));
    await say({ type: 'end', transfer: 1, checksum: new Uint8Array(hash) });
    await over;
    expect(await offers[0]?.ended).toEqual({ path: join(folder, 'x') });
  });

  it.each([
    ['never begins', []],
    ['trickles', [1, MAX_CHUNK_BYTES - 1]],
  ])('gives up one that %s', async (_, chunks) => {
    const { exchange, offers, say, offer, heard } = meet();
    await offer(1, 10 * MAX_CHUNK_BYTES);
    offers[0]?.accept(folder);
    await heard('accept');
    const over = exchange.takeNoMore();
    if (chunks.length > 0) await say({ type: 'begin', transfer: 1, offset: 0 });
    for (const length of chunks) {
      await say({ type: 'chunk', transfer: 1, bytes: new Uint8Array(length) });
    }
    vi.advanceTimersByTime(FILE_STALL_MS);
    if (chunks.length > 0) {
      expect(offers[0]?.receivedBytes).toBe(MAX_CHUNK_BYTES);
      await say({ type: 'chunk', transfer: 1, bytes: new Uint8Array(MAX_CHUNK_BYTES - 1) });
      vi.advanceTimersByTime(FILE_STALL_MS);
    }
    await over;
    expect(await offers[0]?.ended).toEqual({ reason: 'cancelled' });
    await heard('refuse');
  });
});
