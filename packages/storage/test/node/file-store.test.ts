import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bitAt, countBits } from '../../src/bits.ts';
import { FileStore, type FileStoreOptions } from '../../src/node/index.ts';
import { Recorder } from '../recorder.ts';
import { makeSample, type Sample } from '../torrent.ts';

let folder: string;
let data: string;
let state: string;

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'bt-storage-'));
  data = path.join(folder, 'data');
  state = path.join(folder, 'state');
});

afterEach(() => {
  fs.rmSync(folder, { recursive: true, force: true });
});

const tree = (): Sample =>
  makeSample({
    pieceLength: 32768,
    files: [
      { path: 'a.bin', length: 100_000 },
      { path: 'empty', length: 0 },
      { path: 'sub/b.bin', length: 5_000 },
      { path: 'sub/deep/c.bin', length: 70_001 },
    ],
  });

async function open(
  sample: Sample,
  options: Partial<FileStoreOptions> = {},
): Promise<{ store: FileStore; events: Recorder }> {
  const { info, pieceLayers } = sample;
  const store = await FileStore.open({
    info,
    pieceLayers,
    folder: data,
    stateFolder: state,
    ...options,
  });
  const events = new Recorder();
  store.connect(events);
  return { store, events };
}

async function saveAll(store: FileStore, events: Recorder, sample: Sample): Promise<void> {
  const { pieceCount } = sample.info.geometry;
  for (let pieceIndex = 0; pieceIndex < pieceCount; pieceIndex++) {
    store.savePiece(pieceIndex, sample.piece(pieceIndex));
  }
  await events.until(() => events.saved.size === pieceCount);
}

function expectContent(sample: Sample): void {
  for (const entry of sample.info.files) {
    if (entry.isPad) continue;
    const bytes = fs.readFileSync(path.join(data, ...entry.path));
    expect(Buffer.compare(bytes, sample.file(entry.index))).toBe(0);
  }
}

describe('a download', () => {
  it('writes every piece across its files and finds them again on the next start', async () => {
    const sample = tree();
    const { store, events } = await open(sample);
    expect(countBits(store.have, 6)).toBe(0);
    await saveAll(store, events, sample);
    expect([...events.saved.values()].map((result) => result.outcome)).toEqual(
      Array(6).fill('saved'),
    );
    expect(store.isComplete).toBe(true);
    await store.close();
    expectContent(sample);
    let hashed = 0;
    const again = await open(sample, { onProgress: (progress) => (hashed = progress.totalPieces) });
    expect(hashed).toBe(0);
    expect(again.store.isComplete).toBe(true);
    expect(bitAt(again.store.have, 5)).toBe(true);
    await again.store.close();
  });
});
