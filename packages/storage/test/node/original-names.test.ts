import fs from 'node:fs';
import path from 'node:path';
import { parseInfo } from '@bt/metainfo';
import { describe, expect, it } from 'vitest';
import { makeSample, noise, type Sample } from '../torrent.ts';
import { openSample, type Place, place, saveAll } from './store-bench.ts';

const names = ['CON', 'a:b', 'sub:folder/dot.', 'ctrl\u0001', 'plain', 'gone.'];

function sampleOf(paths: readonly string[], length = 20_000): Sample {
  return makeSample({ pieceLength: 16_384, files: paths.map((name) => ({ path: name, length })) });
}

/** As another client would have it: every file under its name in the torrent. */
function writeOriginals(sample: Sample, where: Place, except: readonly number[] = []): void {
  for (const { index } of sample.info.files) {
    if (except.includes(index)) continue;
    const full = path.join(where.data, ...sample.info.files.originalPathOf(index));
    fs.mkdirSync(path.dirname(full), { recursive: true });
    fs.writeFileSync(full, sample.file(index));
  }
}

function list(where: Place): string[] {
  const entries = fs.readdirSync(where.data, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => path.relative(where.data, path.join(entry.parentPath, entry.name)))
    .sort();
}

async function isComplete(sample: Sample, where: Place): Promise<boolean> {
  const { store } = await openSample(sample, where);
  await store.close();
  return store.isComplete;
}

describe.skipIf(process.platform === 'win32')('files under the names of the torrent', () => {
  it('are used where they lie', async () => {
    const sample = sampleOf(names);
    const where = place();
    writeOriginals(sample, where);
    const before = list(where);
    const { store, events } = await openSample(sample, where);
    expect(store.isComplete).toBe(true);
    store.readBlock(0, 0, 16_384, 1);
    await events.until(() => events.reads.size === 1);
    expect(events.reads.get(1)?.bytes).toEqual(sample.piece(0));
    await store.close();
    expect(list(where)).toEqual(before);
    const again = await openSample(sample, where);
    expect([again.store.isComplete, again.hashed]).toEqual([true, 0]);
    await again.store.close();
  });

  it('are used for checking alone, too, and as a single file', async () => {
    const file = { path: 'what: a name?.', length: 50_000 };
    const sample = makeSample({ pieceLength: 16_384, isSingleFile: true, files: [file] });
    const where = place();
    fs.mkdirSync(where.data);
    fs.writeFileSync(path.join(where.data, file.path), sample.file(0));
    const { store } = await openSample(sample, where, { readOnly: true });
    expect(store.isComplete).toBe(true);
    await store.close();
  });

  it('are written to where they lie; what is missing gets its safe name', async () => {
    const sample = sampleOf(names);
    const where = place();
    writeOriginals(sample, where, [5]);
    const damaged = path.join(where.data, 'sample', 'a:b');
    fs.writeFileSync(damaged, noise(20_000, 99));
    const { store, events } = await openSample(sample, where);
    await saveAll(store, events, sample);
    await store.close();
    expect(fs.readFileSync(damaged)).toEqual(Buffer.from(sample.file(1)));
    expect(list(where)).toContain('sample/gone_');
    expect(list(where)).toHaveLength(names.length);
    expect(await isComplete(sample, where)).toBe(true);
  });

  it('are left alone where a file lies under the safe name', async () => {
    const sample = sampleOf(['a:b', 'c']);
    const where = place();
    sample.writeTo(where.data);
    fs.writeFileSync(path.join(where.data, 'sample', 'a:b'), 'something else');
    expect(await isComplete(sample, where)).toBe(true);
  });

  it('are not made by a download', async () => {
    for (const length of [0, 20_000]) {
      const files = names.map((name) => ({ path: name, length: name === 'plain' ? 1 : length }));
      const each = makeSample({ pieceLength: 16_384, files });
      const where = place();
      const { store, events } = await openSample(each, where);
      await saveAll(store, events, each);
      await store.close();
      expect(list(where)).toEqual(
        ['_CON', 'a_b', 'ctrl', 'gone_', 'plain', 'sub_folder/dot_'].map(
          (name) => `sample/${name}`,
        ),
      );
    }
  });

  it('may be the safe names of others', async () => {
    const sample = sampleOf(['a:b', 'a_b', 'a_b.1']);
    const where = place();
    writeOriginals(sample, where);
    const before = list(where);
    expect(await isComplete(sample, where)).toBe(true);
    expect(list(where)).toEqual(before);
  });

  it('are never the place of two files', async () => {
    const where = place();
    const twice = makeSample({
      pieceLength: 16_384,
      files: ['same', 'same', 'x:y'].map((name) => ({ path: name, length: 16_384 })),
    });
    writeOriginals(twice, where);
    const { store, events } = await openSample(twice, where);
    await saveAll(store, events, twice);
    await store.close();
    expect(list(where)).toEqual(['sample/same', 'sample/same.1', 'sample/x:y']);
  });

  it('are not used when they are another file by a hard link', async () => {
    const sample = sampleOf(['a', 'b:c']);
    const where = place();
    fs.mkdirSync(path.join(where.data, 'sample'), { recursive: true });
    fs.writeFileSync(where.file('a'), sample.file(0));
    fs.linkSync(where.file('a'), where.file('b:c'));
    const { store, events } = await openSample(sample, where);
    await saveAll(store, events, sample);
    await store.close();
    expect(fs.readFileSync(where.file('a'))).toEqual(Buffer.from(sample.file(0)));
    expect(fs.readFileSync(where.file('b_c'))).toEqual(Buffer.from(sample.file(1)));
  });

  it('are not used through a link, nor outside of the folder', async () => {
    const sample = sampleOf(['f:1', 'd:2/x', 'nul/y'], 16_384);
    const where = place();
    const outside = path.join(where.folder, 'outside');
    writeOriginals(sample, where);
    fs.renameSync(path.join(where.data, 'sample'), outside);
    fs.mkdirSync(path.join(where.data, 'sample'));
    fs.symlinkSync(path.join(outside, 'f:1'), where.file('f:1'));
    fs.symlinkSync(path.join(outside, 'd:2'), where.file('d:2'));
    fs.symlinkSync(outside, where.file('nul'));
    const { store, events } = await openSample(sample, where);
    expect(store.isComplete).toBe(false);
    for (const name of ['f:1', 'd:2/x']) fs.writeFileSync(path.join(outside, name), 'untouched');
    await saveAll(store, events, sample);
    await store.close();
    expect(fs.readFileSync(path.join(outside, 'd:2/x'), 'utf8')).toBe('untouched');
    expect(fs.readFileSync(path.join(outside, 'f:1'), 'utf8')).toBe('untouched');
  });

  it.each(['.', './', 'x/..a/../', 'sub/x'])(
    'are not used where a name is a path (%s)',
    async (part) => {
      const honest = sampleOf(['~/x', 'x'], 16_384);
      // As only a stranger makes it.
      const text = Buffer.from(honest.info.bytes).toString('latin1');
      const bytes = Buffer.from(text.replace('1:~', `${part.length}:${part}`), 'latin1');
      if (part.includes('../')) {
        expect(() => parseInfo(bytes)).toThrow(expect.objectContaining({ code: 'unsafe-path' }));
        return;
      }
      const sample = { ...honest, info: parseInfo(bytes) };
      expect(sample.info.files.originalPathOf(0)).toEqual(['sample', part, 'x']);
      const where = place();
      for (const name of ['x', 'sub/x/x']) {
        fs.mkdirSync(path.dirname(where.file(name)), { recursive: true });
        fs.writeFileSync(where.file(name), sample.file(1));
      }
      const { store, events } = await openSample(sample, where);
      await saveAll(store, events, sample);
      await store.close();
      expect(list(where)).toHaveLength(3);
      for (const name of ['x', 'sub/x/x']) {
        expect(fs.readFileSync(where.file(name))).toEqual(Buffer.from(sample.file(1)));
      }
    },
  );
});
