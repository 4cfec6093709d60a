import { decodeDict } from '@bt/bencode';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type BuildFile,
  type BuildInfoOptions,
  buildInfo,
  buildMetainfo,
  MetainfoError,
  parseInfo,
  parseMetainfo,
  pieceLengthFor,
  planFiles,
  type TorrentVersion,
  toHex,
} from '../src/index.ts';
import { content, makeTorrent } from './torrents.ts';

const TREE = (
  [
    ['a', 0],
    ['b/c', 5],
    ['b/d.txt', 16384],
    ['b/e/f', 16385],
    ['b.x/g', 70000],
    ['b-h', 131072],
    ['\u00fc/\u00e9', 100001],
    ['z', 0],
  ] as const
).map(([path, length], seed) => ({ path: path.split('/'), data: content(length, seed) }));

function single(name: string, length: number, seed: number) {
  return [{ path: [name], data: content(length, seed) }];
}

describe('info-hashes are those that libtorrent 2.0.8 computes for the same files', () => {
  test.each<[string, TorrentVersion, string, string]>([
    ['tree', 'v2', '', '11dd8168f938882023820b5dc8a9a5b41450126638dfd268e5296196c84cfebf'],
    [
      'tree',
      'hybrid',
      'bcdda7467568a936525726b857b5207014faba3e',
      'f8454beb64d6d31e7d6f5546b3b90458b22f60747feb071ad43549087cb1c0b2',
    ],
    ['lone.bin', 'v1', 'ca4e5a01c13ec44fe78896655853938fa1fa409d', ''],
    ['lone.bin', 'v2', '', 'd00ccc4f72ebd8dc24dfbf13a687d5ca2b0cb0a2fc6cdd9b128d41070c7acc62'],
    [
      'lone.bin',
      'hybrid',
      '15b9e46dbd5bd19a2ba0cfe15043d915b141847c',
      'f34a7a1cb9ba627e5f2377092bd29a8a29f01cac34bfd536df0dc2ed21f8d69c',
    ],
    ['tiny.bin', 'v1', '0e3ef59b892b90fc740d6daf15276a6e5b3b9ea4', ''],
    ['tiny.bin', 'v2', '', '4d73ac0a0d50efdcdbe4f2361c53577499653694b88eaa173a835d8883576db7'],
    [
      'tiny.bin',
      'hybrid',
      '363d8f66250487313f9dd672173e5cafde7d3965',
      'f50b21ead88874fb57fd6734402bd5fb78d622e12c7ae88baf62b754466a2974',
    ],
  ])('%s as %s', (name, version, v1, v2) => {
    const files =
      name === 'tree'
        ? [...TREE].reverse()
        : name === 'lone.bin'
          ? single(name, 150_000, 99)
          : single(name, 40, 98);
    const made = makeTorrent(version, 32_768, name, files, name !== 'tree');
    const info = parseInfo(made.info);
    expect(info.version).toBe(version);
    expect(toHex(info.infoHashV1 ?? new Uint8Array())).toBe(v1);
    expect(toHex(info.infoHashV2 ?? new Uint8Array())).toBe(v2);
    expect(toHex(info.infoHash)).toBe((v1 || v2).slice(0, 40));
    // The layers belong to it.
    expect(parseMetainfo(buildMetainfo(made)).pieceLayers).toEqual(made.pieceLayers);
  });
});

describe('planFiles', () => {
  const file = (path: string, length = 1): BuildFile => ({ path: path.split('/'), length });
  const plan = (version: TorrentVersion, files: BuildFile[]) =>
    planFiles({ version, pieceLength: 16_384, files }).map(({ path, length }) => [
      path.join('/'),
      length,
    ]);

  test('keeps the order of v1 and sorts v2 by the bytes of each name', () => {
    const files = [file('b'), file('a/z'), file('a.b'), file('A'), file('\u00e9'), file('\uff00')];
    expect(plan('v1', files).map(([path]) => path)).toEqual(
      files.map(({ path }) => path.join('/')),
    );
    expect(plan('v2', files).map(([path]) => path)).toEqual([
      'A',
      'a/z',
      'a.b',
      'b',
      '\u00e9',
      '\uff00',
    ]);
  });

  test('pads every file of a hybrid torrent to a piece boundary, the last one too', () => {
    expect(plan('hybrid', [file('c', 20_000), file('b', 0), file('a', 16_384)])).toEqual([
      ['a', 16_384],
      ['b', 0],
      ['c', 20_000],
      ['.pad/12768', 12_768],
    ]);
    expect(plan('hybrid', [file('c', 20_000)])).toEqual([['c', 20_000]]);
  });
});

describe('buildInfo', () => {
  const valid: BuildInfoOptions = {
    version: 'hybrid',
    name: 'folder',
    pieceLength: 16_384,
    isSingleFile: false,
    files: [
      { path: ['a'], length: 16_384, piecesRoot: new Uint8Array(32).fill(1) },
      { path: ['b', 'c'], length: 5, piecesRoot: new Uint8Array(32).fill(2) },
    ],
    pieces: new Uint8Array(40),
  };

  test('writes attributes, links, private, source and entropy, canonically', () => {
    const bytes = buildInfo({
      ...valid,
      files: [
        { ...valid.files[0]!, executable: true, hidden: true },
        valid.files[1]!,
        { path: ['link'], length: 0, symlinkTarget: ['b', 'c'] },
      ],
      isPrivate: true,
      source: 's\u00fc',
      entropy: Uint8Array.of(1, 2),
    });
    const info = parseInfo(bytes);
    expect(info).toMatchObject({ isPrivate: true, source: 's\u00fc', name: 'folder' });
    expect(info.files.at(0)).toMatchObject({ executable: true, hidden: true });
    expect(info.files.at(2)).toMatchObject({
      path: ['folder', 'link'],
      symlinkTarget: ['folder', 'b', 'c'],
    });
    expect(decodeDict(bytes).bytes('entropy')).toEqual(Uint8Array.of(1, 2));
    const tree = decodeDict(bytes).dict('file tree')!;
    expect(tree.dict('link')?.dict('')?.has('length')).toBe(false);
  });

  test('keeps names that are not UTF-8 as they are', () => {
    const odd = Uint8Array.of(0xff, 0x41);
    const bytes = buildInfo({
      ...valid,
      name: odd,
      files: [{ ...valid.files[0]!, path: [odd, odd] }],
      pieces: new Uint8Array(20),
    });
    const info = decodeDict(bytes);
    expect(info.bytes('name')).toEqual(odd);
    expect(info.dict('file tree')?.dict(odd)?.dict(odd)?.has('')).toBe(true);
    expect(parseInfo(bytes).files.pathOf(0)).toEqual(['\ufffdA', '\ufffdA', '\ufffdA']);
  });

  const [a, b] = valid.files as [BuildFile, BuildFile];
  test.each<[string, Partial<BuildInfoOptions>, string, string]>([
    ['a piece length of 0', { pieceLength: 0 }, 'invalid-argument', 'pieceLength'],
    ['a v2 piece length of 20,000', { pieceLength: 20_000 }, 'invalid-argument', 'pieceLength'],
    ['a v2 piece length of 8 KiB', { pieceLength: 8192 }, 'invalid-argument', 'pieceLength'],
    ['no files', { files: [] }, 'invalid-argument', 'files'],
    ['only empty files', { files: [{ path: ['a'], length: 0 }] }, 'invalid-argument', 'files'],
    ['a name with a slash', { name: 'a/b' }, 'unsafe-path', 'name'],
    ['an empty name', { name: '' }, 'unsafe-path', 'name'],
    [
      'a path out of the folder',
      { files: [{ ...a, path: ['..'] }] },
      'unsafe-path',
      'files[0].path',
    ],
    ['an empty path', { files: [{ ...a, path: [] }] }, 'invalid-argument', 'files[0].path'],
    [
      'a fraction of a byte',
      { files: [{ ...a, length: 0.5 }] },
      'invalid-argument',
      'files[0].length',
    ],
    [
      'a link with a length',
      { files: [{ ...a, symlinkTarget: ['b'] }] },
      'invalid-argument',
      'files[0].length',
    ],
    [
      'a missing root',
      { files: [{ path: ['a'], length: 1 }] },
      'invalid-argument',
      'files[0].piecesRoot',
    ],
    ['too few piece hashes', { pieces: new Uint8Array(20) }, 'invalid-argument', 'pieces'],
    ['no piece hashes', { pieces: undefined }, 'invalid-argument', 'pieces'],
    ['files that begin inside of a piece', { files: [b, a] }, 'invalid-argument', 'files[1]'],
    [
      'two files of one path',
      { files: [a, { ...b, path: ['a'] }] },
      'invalid-argument',
      'files[1].path',
    ],
    [
      'a file in a file',
      { files: [a, { ...b, path: ['a', 'b'] }] },
      'invalid-argument',
      'files[1].path',
    ],
    [
      'a pad file in v2',
      { version: 'v2', files: [a, { ...b, isPad: true }] },
      'invalid-argument',
      'files[1]',
    ],
    [
      'a lone file of another name',
      { isSingleFile: true, files: [a], pieces: new Uint8Array(20) },
      'invalid-argument',
      'name',
    ],
    ['two lone files', { isSingleFile: true }, 'invalid-argument', 'files'],
    ['half a character', { source: '\ud800' }, 'invalid-argument', 'options'],
  ])('refuses %s', (_, options, code, field) => {
    let thrown: unknown;
    try {
      buildInfo({ ...valid, ...options });
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(MetainfoError);
    expect(thrown).toMatchObject({ code, field });
  });

  test('writes a path as deep as it takes one so that it can be read', () => {
    const file = { ...valid.files[0]!, path: Array(95).fill('a') };
    const info = buildInfo({ ...valid, files: [file], pieces: new Uint8Array(20) });
    expect(parseMetainfo(buildMetainfo({ info })).info.files.pathOf(0)).toHaveLength(96);
  });

  test('what it writes is what parseInfo reads', () => {
    const name = fc.stringMatching(/^[a-z]{1,3}$/);
    const paths = fc.uniqueArray(fc.array(name, { minLength: 1, maxLength: 3 }), {
      minLength: 1,
      maxLength: 8,
      // No file in a file: files have their depth in their name.
      selector: (path) => path.join('/'),
    });
    fc.assert(
      fc.property(
        paths,
        fc.constantFrom<TorrentVersion>('v1', 'v2', 'hybrid'),
        fc.array(fc.integer({ min: 1, max: 70_000 }), { minLength: 8, maxLength: 8 }),
        (chosen, version, lengths) => {
          const contents = chosen.map((path, index) => ({
            path: [...path.map((part) => `${part}d`), `f${index}`],
            data: content(lengths[index]!, index),
          }));
          const made = makeTorrent(version, 16_384, 'name', contents);
          const { info, pieceLayers } = parseMetainfo(buildMetainfo(made));
          expect(info.warnings).toEqual([]);
          expect(pieceLayers).toEqual(made.pieceLayers);
          const found = [...info.files]
            .filter((file) => !file.isPad)
            .map((file) => [file.path.join('/'), file.length]);
          const expected = contents.map((file) => [
            `name/${file.path.join('/')}`,
            file.data.length,
          ]);
          expect(found.sort()).toEqual(expected.sort());
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('buildMetainfo', () => {
  test.each<TorrentVersion>(['v1', 'v2', 'hybrid'])(
    'takes a whole %s torrent as it was read',
    (version) => {
      const { info, pieceLayers } = makeTorrent(version, 32_768, 'x', TREE);
      const bytes = buildMetainfo({
        info,
        announceTiers: [['http://t.example/']],
        comment: 'text',
        ...(version === 'v1' ? {} : { pieceLayers }),
      });
      expect(toHex(buildMetainfo(parseMetainfo(bytes)))).toBe(toHex(bytes));
    },
  );

  const { info } = makeTorrent('v1', 16_384, 'f', single('f', 10, 0), true);

  test('writes what parseMetainfo reads, the info dictionary untouched', () => {
    const facts = {
      announceTiers: [['http://a.example/announce', 'udp://b.example:1'], ['wss://c.example']],
      webSeeds: ['https://w.example/a b/'.replace(' ', '%20'), 'http://v.example/'],
      nodes: [
        { host: 'router.example', port: 6881 },
        { host: '2001:db8::1', port: 1 },
      ],
      comment: 'c\u00f6mment',
      createdBy: 'me',
      createdAtSeconds: 1_700_000_000,
    };
    const parsed = parseMetainfo(buildMetainfo({ info, ...facts }));
    expect(parsed).toMatchObject(facts);
    expect(parsed.info.bytes).toEqual(info);
  });

  test('writes one tracker and one web seed in their short form, and nothing that is not there', () => {
    const outer = decodeDict(
      buildMetainfo({
        info,
        announceTiers: [[], ['http://a.example']],
        webSeeds: ['http://w.example'],
      }),
    );
    expect([...outer.keys()].map((key) => new TextDecoder().decode(key))).toEqual([
      'announce',
      'info',
      'url-list',
    ]);
    expect(outer.text('url-list')).toBe('http://w.example');
  });

  test('refuses nodes and layers that are none', () => {
    const wrong = expect.objectContaining({ code: 'invalid-argument' });
    expect(() => buildMetainfo({ info, nodes: [{ host: 'a b', port: 1 }] })).toThrow(wrong);
    expect(() => buildMetainfo({ info, nodes: [{ host: 'a', port: 0 }] })).toThrow(wrong);
    expect(() => buildMetainfo({ info, pieceLayers: new Map([['00', ROOTLESS]]) })).toThrow(wrong);
    expect(() => buildMetainfo({ info, createdAtSeconds: 0.5 })).toThrow(wrong);
  });
  const ROOTLESS = new Uint8Array(32);
});

test('pieceLengthFor makes at most 2,000 pieces, of 16 KiB to 16 MiB', () => {
  expect(pieceLengthFor(0)).toBe(16_384);
  expect(pieceLengthFor(2000 * 16_384)).toBe(16_384);
  expect(pieceLengthFor(2000 * 16_384 + 1)).toBe(32_768);
  expect(pieceLengthFor(4 * 2 ** 30)).toBe(4 * 2 ** 20);
  expect(pieceLengthFor(Number.MAX_SAFE_INTEGER)).toBe(16 * 2 ** 20);
});
