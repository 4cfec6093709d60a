import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MAX_STATE_FILE_BYTES } from '../../src/constants.ts';
import { readStateFile, writeStateFile } from '../../src/node/state-file.ts';

describe('a state file', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bt-dht-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('comes back as it was written, with nothing beside it', async () => {
    const path = join(folder, 'state');
    await writeStateFile(path, Uint8Array.of(1, 2, 3));
    await writeStateFile(path, Uint8Array.of(4, 5));
    expect(await readStateFile(path)).toEqual(Uint8Array.of(4, 5));
    expect(await readdir(folder)).toEqual(['state']);
  });

  it('is whole when several write it at one time', async () => {
    const path = join(folder, 'state');
    const versions = [1, 2, 3, 4].map((byte) => new Uint8Array(100_000).fill(byte));
    for (let round = 0; round < 10; round++) {
      await Promise.all(versions.map((bytes) => writeStateFile(path, bytes)));
      const bytes = await readStateFile(path);
      expect(bytes).toEqual(new Uint8Array(100_000).fill(bytes![0]!));
    }
    expect(await readdir(folder)).toEqual(['state']);
  });

  it('that is not there, or too long to be one, is none', async () => {
    const path = join(folder, 'long');
    expect(await readStateFile(path)).toBe(undefined);
    await writeFile(path, new Uint8Array(MAX_STATE_FILE_BYTES + 1));
    expect(await readStateFile(path)).toBe(undefined);
    expect(await readStateFile(folder)).toBe(undefined);
  });

  it('that can`t be written leaves nothing behind', async () => {
    await expect(writeStateFile(folder, Uint8Array.of(1))).rejects.toThrow();
    expect((await readdir(join(folder, '..'))).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });
});
