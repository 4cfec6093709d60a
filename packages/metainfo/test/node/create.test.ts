import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, symlinkSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { toHex } from '../../src/hex.ts';
import type { TorrentVersion } from '../../src/metainfo.ts';
import { type CreateProgress, createTorrent } from '../../src/node/create.ts';
import { parseMetainfo } from '../../src/parse.ts';
import { referencePieces, referenceTree } from './reference.ts';
import { makeTempFolder, sampleBytes, writeTree } from './temp-folder.ts';

const KIB = 1024;
const TREE = { 'a-b/x': 40_000, 'a/x': 100_000, 'a/empty': 0, b: 16_384, 'c/d/e': 1 };
const CONTENT = Object.entries(TREE).map(([path, n]) => ({ path, bytes: sampleBytes(n, path) }));
const contentOf = (path: string) =>
  CONTENT.find((file) => file.path === path)?.bytes ?? Buffer.alloc(0);

const writeSample = () =>
  join(
    writeTree(
      makeTempFolder(),
      Object.fromEntries(Object.entries(TREE).map(([p, n]) => [`tree/${p}`, sampleBytes(n, p)])),
    ),
    'tree',
  );

describe('createTorrent', () => {
  it('describes a tree in v1 in the order of whole paths', async () => {
    const created = await createTorrent({ input: writeSample(), pieceLength: 32 * KIB });
    const { info } = parseMetainfo(created.bytes);
    expect(info).toMatchObject({ version: 'v1', name: 'tree', isSingleFile: false, warnings: [] });
    const order = ['a-b/x', 'a/empty', 'a/x', 'b', 'c/d/e'];
    expect(Array.from(info.files, (f) => f.path.slice(1).join('/'))).toEqual(order);
    expect(toHex(info.pieceHashes as Uint8Array)).toBe(
      referencePieces(
        order.map((p) => ({ bytes: contentOf(p) })),
        32 * KIB,
      ),
    );
    expect(created).toMatchObject({
      fileCount: 5,
      totalLength: 156_385,
      pieceLength: 32 * KIB,
      pieceCount: 5,
    });
    expect(toHex(created.infoHashV1 as Uint8Array)).toBe(toHex(info.infoHash));
    expect(created.infoHashV2).toBeUndefined();
  });

  it.each<TorrentVersion>(['v2', 'hybrid'])(
    'describes a tree in %s in the order of names',
    async (version) => {
      const created = await createTorrent({ input: writeSample(), pieceLength: 32 * KIB, version });
      const { info, pieceLayers } = parseMetainfo(created.bytes);
      expect(info.version).toBe(version);
      const files = Array.from(info.files).filter((file) => !file.isPad);
      expect(files.map((f) => f.path.slice(1).join('/'))).toEqual([
        'a/empty',
        'a/x',
        'a-b/x',
        'b',
        'c/d/e',
      ]);
      for (const file of files) {
        const bytes = contentOf(file.path.slice(1).join('/'));
        if (bytes.length === 0) {
          expect(file.piecesRoot).toBeUndefined();
          continue;
        }
        const { root, layer } = referenceTree(bytes, 32 * KIB);
        expect(toHex(file.piecesRoot as Uint8Array)).toBe(root);
        const written = pieceLayers.get(root);
        expect(written && toHex(written)).toBe(bytes.length > 32 * KIB ? layer : undefined);
      }
      expect(toHex(created.infoHashV2 as Uint8Array)).toBe(
        createHash('sha256').update(info.bytes).digest('hex'),
      );
      if (version === 'hybrid') {
        const padded = files.map((file) => ({
          bytes: contentOf(file.path.slice(1).join('/')),
          padding: (32 * KIB - (file.length % (32 * KIB))) % (32 * KIB),
        }));
        expect(toHex(info.pieceHashes as Uint8Array)).toBe(referencePieces(padded, 32 * KIB));
        expect(created.pieceCount).toBe(info.geometry.pieceCount);
      }
    },
  );

  it('describes one file by its name or the one given, without padding', async () => {
    const input = join(writeTree(makeTempFolder(), { 'one.bin': 50_000 }), 'one.bin');
    for (const version of ['v1', 'v2', 'hybrid'] as const) {
      const plain = parseMetainfo((await createTorrent({ input, version })).bytes).info;
      expect(Array.from(plain.files, (f) => f.path)).toEqual([['one.bin']]);
      expect(plain.isSingleFile).toBe(true);
      const named = parseMetainfo(
        (await createTorrent({ input, version, name: 'other' })).bytes,
      ).info;
      expect(Array.from(named.files, (f) => f.path)).toEqual([['other']]);
    }
  });

  it('writes every field that was asked for', async () => {
    const input = writeSample();
    const created = await createTorrent({
      input,
      announceTiers: [['http://a/announce', 'udp://b:1'], ['http://c/announce']],
      webSeeds: ['http://seed/'],
      comment: 'a comment',
      createdBy: 'a test',
      createdAtSeconds: 1_700_000_000,
      isPrivate: true,
      source: 'here',
      entropy: Uint8Array.of(1, 2, 3),
    });
    const metainfo = parseMetainfo(created.bytes);
    expect(metainfo).toMatchObject({
      announceTiers: [['http://a/announce', 'udp://b:1'], ['http://c/announce']],
      webSeeds: ['http://seed/'],
      comment: 'a comment',
      createdBy: 'a test',
      createdAtSeconds: 1_700_000_000,
      info: { isPrivate: true, source: 'here' },
    });
    const plain = await createTorrent({ input, isPrivate: true, source: 'here' });
    expect(toHex(plain.infoHashV1 as Uint8Array)).not.toBe(toHex(metainfo.info.infoHash));
    expect(parseMetainfo(plain.bytes)).toMatchObject({ announceTiers: [], webSeeds: [] });
    expect(parseMetainfo(plain.bytes).createdAtSeconds).toBeUndefined();
  });

  it('gives the same bytes from threads, from this one and from both', async () => {
    const folder = writeTree(makeTempFolder(), { 't/big': 20_000_000, 't/small': 100 });
    for (const version of ['v1', 'hybrid'] as const) {
      const make = (threads: number, isCallerBusy: boolean) =>
        createTorrent({ input: join(folder, 't'), version, threads, isCallerBusy });
      const [alone, both, workers] = await Promise.all([
        make(1, true),
        make(2, true),
        make(2, false),
      ]);
      expect(toHex(both.bytes)).toBe(toHex(alone.bytes));
      expect(toHex(workers.bytes)).toBe(toHex(alone.bytes));
    }
  });

  it('marks executables in v2 and hybrid torrents', async () => {
    const folder = writeTree(makeTempFolder(), { run: 'x', read: 'y' });
    chmodSync(join(folder, 'run'), 0o755);
    const flags = async (version: TorrentVersion) =>
      Array.from(parseMetainfo((await createTorrent({ input: folder, version })).bytes).info.files)
        .filter((f) => !f.isPad)
        .map((f) => f.executable);
    expect(await flags('v1')).toEqual([false, false]);
    expect(await flags('v2')).toEqual([false, true]);
    expect(await flags('hybrid')).toEqual([false, true]);
  });

  it('reports what it skipped and how far it is', async () => {
    const folder = writeTree(makeTempFolder(), { a: 100_000 });
    symlinkSync('/dev/null', join(folder, 'null'));
    const seen: CreateProgress[] = [];
    const created = await createTorrent({ input: folder, onProgress: (p) => seen.push(p) });
    expect(created.skipped).toEqual([{ diskPath: join(folder, 'null'), reason: 'a device' }]);
    expect(seen.at(-1)).toEqual({
      stage: 'hashing',
      fileCount: 1,
      totalLength: 100_000,
      bytesHashed: 100_000,
    });
  });

  it('refuses what makes no torrent', async () => {
    const folder = writeTree(makeTempFolder(), { 'empty/a': 0, full: 10 });
    mkdirSync(join(folder, 'none'));
    await expect(createTorrent({ input: join(folder, 'none') })).rejects.toMatchObject({
      code: 'no-content',
    });
    await expect(createTorrent({ input: join(folder, 'empty') })).rejects.toMatchObject({
      code: 'no-content',
    });
    await expect(createTorrent({ input: join(folder, 'empty/a') })).rejects.toMatchObject({
      code: 'no-content',
    });
    await expect(createTorrent({ input: join(folder, 'gone') })).rejects.toMatchObject({
      code: 'not-found',
    });
    const input = join(folder, 'full');
    const invalid = { code: 'invalid-argument' };
    for (const pieceLength of [0, -16_384, 1.5, Number.NaN, 20_000, 2 ** 37]) {
      await expect(createTorrent({ input, pieceLength })).rejects.toMatchObject(invalid);
    }
    await expect(
      createTorrent({ input, pieceLength: 48 * KIB, version: 'v2' }),
    ).rejects.toMatchObject(invalid);
    expect((await createTorrent({ input, pieceLength: 48 * KIB })).pieceLength).toBe(48 * KIB);
    for (const name of ['', '.', '..', 'a/b', 'a\0b']) {
      await expect(createTorrent({ input, name })).rejects.toMatchObject(invalid);
    }
    for (const threads of [0, -1, 1.5, 65]) {
      await expect(createTorrent({ input, threads })).rejects.toMatchObject(invalid);
    }
    await expect(
      createTorrent({ input: '/', isExcluded: () => true, name: 'x' }),
    ).rejects.toMatchObject({
      code: 'no-content',
    });
  });

  it.each(['v1', 'v2', 'hybrid'] as const)(
    'warns as a reader of the torrent does, in %s',
    async (version) => {
      const names = [
        'tree:/a\nb',
        'tree:/CON',
        'tree:/dot.',
        'tree:/Same',
        'tree:/same',
        'tree:/ok',
      ];
      const folder = writeTree(
        makeTempFolder(),
        Object.fromEntries(names.map((name) => [name, 20_000])),
      );
      const { bytes, warnings } = await createTorrent({ input: join(folder, 'tree:'), version });
      expect(warnings).toEqual(parseMetainfo(bytes).info.warnings);
      expect(warnings.map(({ renamed }) => renamed).sort()).toEqual([
        ...['tree_', 'tree_/_CON', 'tree_/ab', 'tree_/dot_', 'tree_/same.1'],
      ]);
      const single = await createTorrent({ input: join(folder, 'tree:/CON'), version });
      expect(single.warnings).toEqual(parseMetainfo(single.bytes).info.warnings);
      expect(single.warnings).toHaveLength(1);
    },
  );

  it('refuses a name that no reader takes, before it hashes', async () => {
    const folder = writeTree(makeTempFolder(), { 'tree/a': 1, 'tree/sub/..\\x': 1 });
    const stages: string[] = [];
    const refused = createTorrent({
      input: join(folder, 'tree'),
      version: 'hybrid',
      onProgress: ({ stage }) => stages.push(stage),
    });
    await expect(refused).rejects.toMatchObject({
      name: 'FileError',
      code: 'invalid-name',
      path: join(folder, 'tree/sub/..\\x'),
    });
    expect(stages).not.toContain('hashing');
  });

  it('refuses a file that changes after it was listed', async () => {
    const names = Array.from({ length: 1001 }, (_, index) => `${index}`);
    const folder = writeTree(makeTempFolder(), Object.fromEntries(names.map((name) => [name, 1])));
    const onProgress = ({ stage }: CreateProgress) => {
      if (stage !== 'listing') return; // told when all but two have been looked at
      for (const name of ['0', '1', '2']) utimesSync(join(folder, name), 1, 1);
    };
    const creating = createTorrent({ input: folder, onProgress });
    await expect(creating).rejects.toMatchObject({ name: 'FileError', code: 'changed' });
  });

  it('refuses folders that are too deep, before it hashes', async () => {
    const folder = writeTree(makeTempFolder(), { [`${'d/'.repeat(95)}file`]: 1 });
    const created = createTorrent({ input: folder });
    await expect(created).rejects.toMatchObject({ code: 'limit-exceeded', field: 'input' });
    expect((await createTorrent({ input: join(folder, 'd') })).fileCount).toBe(1);
  });

  it('stops when aborted, with the reason', async () => {
    const input = writeSample();
    const reason = new Error('enough');
    await expect(createTorrent({ input, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});
