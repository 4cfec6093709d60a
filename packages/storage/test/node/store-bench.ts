/** Temporary folders and stores in them, for the tests of the node side. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect } from 'vitest';
import { poolWith } from '../../src/node/disk-pool.ts';
import { type DiskPool, FileStore, type FileStoreOptions } from '../../src/node/index.ts';
import { InlineExecutor } from '../faults.ts';
import { Recorder } from '../recorder.ts';
import type { Sample } from '../torrent.ts';

export interface Place {
  readonly folder: string;
  /** Download folder; not made yet. */
  readonly data: string;
  readonly state: string;
  /** Path of a file of the torrent `sample`. */
  file(name: string): string;
}

const places: string[] = [];

afterAll(() => {
  for (const folder of places) fs.rmSync(folder, { recursive: true, force: true });
});

/** A new temporary folder, removed after the tests of the file. */
export function place(): Place {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'bt-storage-'));
  places.push(folder);
  const data = path.join(folder, 'data');
  return {
    folder,
    data,
    state: path.join(folder, 'state'),
    file: (name) => path.join(data, 'sample', name),
  };
}

export interface OpenSample {
  readonly store: FileStore;
  readonly events: Recorder;
  readonly pool: DiskPool;
  /** Pieces that had to be hashed. */
  readonly hashed: number;
}

/** A store on `sample`, without threads unless a pool is given. */
export async function openSample(
  sample: Pick<Sample, 'info' | 'pieceLayers'>,
  where: Place,
  options: Partial<FileStoreOptions> = {},
): Promise<OpenSample> {
  const pool = options.pool ?? poolWith(new InlineExecutor());
  let hashed = 0;
  const store = await FileStore.open({
    info: sample.info,
    pieceLayers: sample.pieceLayers,
    folder: where.data,
    stateFolder: where.state,
    pool,
    ...options,
    onProgress: (progress) => {
      hashed = progress.totalPieces;
      options.onProgress?.(progress);
    },
  });
  const events = new Recorder();
  store.connect(events);
  return { store, events, pool, hashed };
}

/** Save every piece of the torrent, and expect each to be right. */
export async function saveAll(store: FileStore, events: Recorder, sample: Sample): Promise<void> {
  const { pieceCount } = sample.info.geometry;
  for (let pieceIndex = 0; pieceIndex < pieceCount; pieceIndex++) {
    store.savePiece(pieceIndex, sample.piece(pieceIndex));
  }
  await events.until(() => events.saved.size === pieceCount);
  for (const result of events.saved.values()) expect(result).toEqual({ outcome: 'saved' });
}

export function expectContent(sample: Sample, where: Place): void {
  for (const entry of sample.info.files) {
    if (entry.isPad) continue;
    const bytes = fs.readFileSync(path.join(where.data, ...entry.path));
    expect(Buffer.compare(bytes, sample.file(entry.index))).toBe(0);
  }
}

/**
 * Returns when the clock of the file system has moved on since the file was written to: it ticks every few milliseconds, and
 * a change within one tick is one that no stat can show.
 */
export function waitForTick(file: string): void {
  const { ctimeNs } = fs.statSync(file, { bigint: true });
  const probe = `${file}.tick`;
  do fs.writeFileSync(probe, '');
  while (fs.statSync(probe, { bigint: true }).ctimeNs <= ctimeNs);
  fs.rmSync(probe);
}
