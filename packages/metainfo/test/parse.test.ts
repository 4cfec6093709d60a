import { createHash } from 'node:crypto';
import { type BencodeInput, encode } from '@bt/bencode';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  buildMetainfo,
  isPieceLayer,
  type Metainfo,
  MetainfoError,
  merklePadding,
  merkleRoot,
  parseInfo,
  parseMetainfo,
  toHex,
} from '../src/index.ts';
import {
  content,
  type Fields,
  makeTorrent,
  parseFields,
  ROOT,
  refusalOf,
  v1Files,
  v1Info,
  v2Info,
} from './torrents.ts';

const utf8 = (text: string) => new TextEncoder().encode(text);
const hash = (name: string, bytes: Uint8Array) => createHash(name).update(bytes).digest('hex');
const outer = (fields: Fields): Metainfo => parseMetainfo(encode({ info: v1Info(), ...fields }));

describe('v1', () => {
  test('one file', () => {
    const info = parseFields(v1Info({ private: 1, source: 'SRC', attr: 'x' }));
    expect(info).toMatchObject({
      version: 'v1',
      name: 'file.bin',
      isSingleFile: true,
      pieceLength: 32_768,
      isPrivate: true,
      source: 'SRC',
      warnings: [],
      renamedCount: 0,
    });
    expect(info.files.count).toBe(1);
    expect(info.files.at(0)).toEqual({
      index: 0,
      path: ['file.bin'],
      length: 100_000,
      isPad: false,
      executable: true,
      hidden: false,
    });
    expect(info.geometry.pieceCount).toBe(4);
    expect(info.pieceHashes).toHaveLength(80);
    expect(info.infoHashV2).toBeUndefined();
  });

  test('several files, with attributes, padding and empty files', () => {
    const info = parseFields(
      v1Files([
        { path: ['a'], length: 20_000, attr: 'xh?' },
        { path: ['.pad', '12768'], length: 12_768, attr: 'p' },
        { path: ['b', 'empty'], length: 0 },
        { path: ['b', 'c'], length: 5 },
        { length: 32_763, attr: 'p' },
      ]),
    );
    expect(info.isSingleFile).toBe(false);
    expect(info.isPrivate).toBe(false);
    expect(info.files.contentLength).toBe(20_005);
    expect(info.geometry.totalLength).toBe(65_536);
    expect([...info.files].map((file) => [file.path.at(-1), file.isPad, file.executable])).toEqual([
      ['a', false, true],
      ['12768', true, false],
      ['empty', false, false],
      ['c', false, false],
      ['4', true, false],
    ]);
    expect(info.files.at(0).hidden).toBe(true);
    expect(() => info.files.at(5)).toThrow(RangeError);
    expect(() => info.files.pathOf(-1)).toThrow(RangeError);
  });
});

describe('v2', () => {
  test('a tree in the order of its keys, each file on its own pieces', () => {
    const info = parseFields(
      v2Info({
        name: 'n',
        'file tree': {
          a: { b: { '': { length: 40_000, 'pieces root': ROOT } }, c: { '': { length: 0 } } },
          'a.x': { '': { length: 5, 'pieces root': ROOT, attr: 'x' } },
          empty: {},
        },
      }),
    );
    expect(info).toMatchObject({ version: 'v2', isSingleFile: false });
    expect([...info.files].map((file) => [file.path.join('/'), file.length])).toEqual([
      ['n/a/b', 40_000],
      ['n/a/c', 0],
      ['n/a.x', 5],
    ]);
    expect(info.geometry.pieceCount).toBe(3);
    expect(info.geometry.pieceSize(1)).toBe(40_000 - 32_768);
    expect(info.files.piecesRootOf(0)).toEqual(ROOT);
    expect(info.files.piecesRootOf(1)).toBeUndefined();
    expect(info.pieceHashes).toBeUndefined();
    expect(info.infoHashV1).toBeUndefined();
    expect(info.infoHash).toEqual(info.infoHashV2!.subarray(0, 20));
  });

  test('a lone file of the name of the torrent has no folder, any other has', () => {
    expect(parseFields(v2Info()).files.pathOf(0)).toEqual(['file.bin']);
    expect(parseFields(v2Info({ name: 'other' })).files.pathOf(0)).toEqual(['other', 'file.bin']);
  });

  test.each<[string, unknown, string]>([
    ['no dictionary', 'x', 'wrong-type'],
    ['a file that is a number', { a: 5 }, 'invalid-file-tree'],
    ['a name that is empty', { '': { length: 5 } }, 'invalid-file-tree'],
    ['a file that is a folder too', { a: { '': { length: 0 }, b: {} } }, 'invalid-file-tree'],
    ['facts that are no dictionary', { a: { '': 5 } }, 'invalid-file-tree'],
    ['padding', { a: { '': { length: 5, attr: 'p' } } }, 'invalid-file-tree'],
    ['a file without a length', { a: { '': {} } }, 'missing-field'],
    ['a negative length', { a: { '': { length: -1 } } }, 'invalid-length'],
    ['a file without a root', { a: { '': { length: 5 } } }, 'invalid-pieces-root'],
    ['a short root', { a: { '': { length: 5, 'pieces root': 'x' } } }, 'invalid-pieces-root'],
    [
      'a root of zeros',
      { a: { '': { length: 5, 'pieces root': new Uint8Array(32) } } },
      'invalid-pieces-root',
    ],
    ['nothing', {}, 'no-content'],
  ])('refuses a file tree with %s', (_, tree, code) => {
    expect(refusalOf(v2Info({ 'file tree': tree as BencodeInput })).code).toBe(code);
  });

  test('M4: refuses a tree that is deep', () => {
    const depth = 200;
    const bytes = utf8(
      `d4:infod9:file tree${'d1:a'.repeat(depth)}${'e'.repeat(depth)}12:meta versioni2e` +
        `4:name1:n12:piece lengthi16384eee`,
    );
    expect(refusalOf(bytes).code).toBe('invalid-bencode');
  });
});

describe('hybrid', () => {
  const files = [
    { path: ['a'], data: content(40_000, 1) },
    { path: ['b'], data: content(10, 2) },
    { path: ['c'], data: content(0, 3) },
  ];
  const made = makeTorrent('hybrid', 32_768, 'n', files);

  test('has both info-hashes, of the same bytes', () => {
    const info = parseInfo(made.info);
    expect(info.version).toBe('hybrid');
    expect(toHex(info.infoHashV1!)).toBe(hash('sha1', made.info));
    expect(toHex(info.infoHashV2!)).toBe(hash('sha256', made.info));
    expect(info.infoHash).toEqual(info.infoHashV1);
    expect(info.files.count).toBe(5);
    expect(info.files.piecesRootOf(2)).toHaveLength(32);
    expect(info.files.piecesRootOf(1)).toBeUndefined();
  });

  test('loads without the padding behind the last file, as older libtorrent wrote it', () => {
    const roots = [1, 2].map((byte) => new Uint8Array(32).fill(byte));
    const fields = {
      'file tree': {
        a: { '': { length: 10, 'pieces root': roots[0]! } },
        b: { '': { length: 10, 'pieces root': roots[1]! } },
      },
      files: [
        { length: 10, path: ['a'] },
        { attr: 'p', length: 32_758, path: ['.pad', '32758'] },
        { length: 10, path: ['b'] },
      ],
      'meta version': 2,
      name: 'n',
      'piece length': 32_768,
      pieces: new Uint8Array(40),
    };
    expect(parseFields(fields).files.piecesRootOf(2)).toEqual(roots[1]);
    // M9: each way in which the two parts can disagree.
    const [a, pad, b] = fields.files as unknown as Fields[];
    const change = (list: Fields[], pieces = 2): Fields => ({
      ...fields,
      files: list as BencodeInput,
      pieces: new Uint8Array(20 * pieces),
    });
    for (const info of [
      change([a!, pad!, { ...b, length: 11 }]),
      change([a!, pad!, { ...b, path: ['c'] }]),
      change([a!, pad!, { ...b, path: ['b', 'b'] }]),
      change([b!, pad!, a!]),
      change([a!, b!], 1),
      change([a!, { ...pad, length: 32_757 }, b!]),
      change([a!, pad!], 1),
      change([a!, pad!, b!, { ...pad, length: 32_758 }, { length: 1, path: ['z'] }], 3),
      change([a!, pad!, b!, { ...pad, length: 65_536 }], 4),
      { ...change([]), files: undefined, length: 10, pieces: new Uint8Array(20) },
    ]) {
      expect(refusalOf(info).code).toBe('hybrid-mismatch');
    }
    expect(refusalOf({ ...fields, pieces: undefined })).toMatchObject({
      code: 'missing-field',
      field: 'info.pieces',
    });
  });

  test('a single file must have the name of the torrent in both', () => {
    const single = makeTorrent('hybrid', 16_384, 'f', [{ path: ['f'], data: content(9, 1) }], true);
    expect(parseInfo(single.info)).toMatchObject({ isSingleFile: true, version: 'hybrid' });
    expect(
      refusalOf({ ...v2Info(), length: 100, pieces: new Uint8Array(20), name: 'other' }).code,
    ).toBe('hybrid-mismatch');
  });
});

describe('M6: the info-hash is of the bytes as they came', () => {
  const infoBytes = (text: string) => utf8(text.replace('#', 'h'.repeat(20)));

  test('wherever they stand, and whatever else is in them', () => {
    const info = encode(v1Info({ 'x-unknown': [1, { z: 2 }], zzz: new Uint8Array([0xff]) }));
    const whole = buildMetainfo({ info, comment: 'before', webSeeds: ['http://after.example'] });
    expect(toHex(parseMetainfo(whole).info.infoHashV1!)).toBe(hash('sha1', info));
    // The input may be a Buffer, in a larger one.
    const shifted = Buffer.concat([Buffer.from('xx'), whole]).subarray(2);
    const parsed = parseMetainfo(shifted);
    expect(toHex(parsed.info.infoHash)).toBe(hash('sha1', info));
    expect(parsed.info.bytes.constructor).toBe(Uint8Array);
    expect(parsed.info.pieceHashes!.constructor).toBe(Uint8Array);
  });

  test('keys out of order are kept so in v1', () => {
    const info = infoBytes('d4:name1:f6:pieces20:#6:lengthi9e12:piece lengthi16384ee');
    const parsed = parseMetainfo(new Uint8Array([...utf8('d4:info'), ...info, ...utf8('e')]));
    expect(toHex(parsed.info.infoHash)).toBe(hash('sha1', info));
    expect(toHex(parseInfo(info).infoHash)).toBe(hash('sha1', info));
    expect(parsed.info.files.lengthOf(0)).toBe(9);
  });

  test('keys out of order are refused in v2, where they are the order of files', () => {
    const bytes = encode(v2Info());
    const text = Buffer.from(bytes).toString('latin1');
    const swapped = text.replace('4:name8:file.bin', '').replace(/^d/, 'd4:name8:file.bin');
    expect(refusalOf(Buffer.from(`d4:info${swapped}e`, 'latin1')).code).toBe('invalid-bencode');
  });

  test.each([
    ['repeated keys', 'd6:lengthi9e4:name1:f4:name1:g12:piece lengthi16384e6:pieces20:#e'],
    [
      'repeated keys out of order',
      'd4:name1:f6:lengthi9e4:name1:g12:piece lengthi16384e6:pieces20:#e',
    ],
    [
      'repeated keys deep in a list',
      'd4:name1:f1:xlld1:b0:1:a0:1:b0:eee6:lengthi9e12:piece lengthi16384e6:pieces20:#e',
    ],
    ['leading zeros', 'd6:lengthi09e4:name1:f12:piece lengthi16384e6:pieces20:#e'],
  ])('%s are refused', (_, text) => {
    const bytes = infoBytes(`d4:info${text}e`);
    expect(refusalOf(bytes).code).toBe('invalid-bencode');
    // A caller may insist: the hash is still that of the bytes.
    const info = bytes.subarray(7, -1);
    expect(toHex(parseInfo(info, { lenient: true }).infoHash)).toBe(hash('sha1', info));
  });
});

describe('what is no bytes at all', () => {
  test.each([undefined, null, 'd4:info', 7, {}])(
    '%j is told as the mistake of the caller',
    (value) => {
      for (const parse of [parseMetainfo, parseInfo]) {
        expect(() => parse(value as unknown as Uint8Array)).toThrow(
          expect.objectContaining({ name: 'MetainfoError', code: 'invalid-argument' }),
        );
      }
    },
  );
});

describe('M5: bencode that is none', () => {
  test.each([
    '',
    'd',
    'e',
    'i5e',
    'le',
    '4:spam',
    'd4:infod',
    'd4:info-1:e',
    'd4:infoi-0ee',
    'd4:infoi03ee',
    'd4:infoie',
    'd4:info5:abce',
    `d4:info${'9'.repeat(400)}:e`,
    'd4:infodee ',
    'd4:infodeed4:infodee',
  ])('%j is a MetainfoError', (text) => {
    const error = refusalOf(utf8(text));
    expect(['invalid-bencode', 'limit-exceeded', 'missing-field']).toContain(error.code);
    expect(error.field).not.toBe('');
  });

  test('M4: a megabyte of lists is one too', () => {
    for (const text of ['l'.repeat(1_000_000), `d4:info${'d1:a'.repeat(250_000)}`]) {
      expect(refusalOf(utf8(text)).code).toBe('invalid-bencode');
    }
  });

  test('numbers beyond 2^53 are refused, not rounded', () => {
    expect(refusalOf(v1Info({ 'piece length': 2n ** 60n })).code).toBe('invalid-piece-length');
    expect(refusalOf(v1Info({ 'meta version': 2n ** 60n })).code).toBe('unknown-version');
    for (const length of [2n ** 53n, 2n ** 63n, 2n ** 64n + 5n, -(2n ** 60n)]) {
      expect(refusalOf(v1Info({ length })).code).toBe('invalid-length');
    }
  });
});

describe('M7: fields that can not be', () => {
  test.each<[string, Fields, string, string]>([
    ['no info', { info: undefined }, 'missing-field', 'metainfo.info'],
    ['an info that is a list', { info: [] }, 'wrong-type', 'metainfo.info'],
  ])('%s', (_, fields, code, field) => {
    expect(refusalOf(encode(fields))).toMatchObject({ code, field });
  });

  test.each<[string, Fields, string, string]>([
    ['no name', { name: undefined }, 'missing-field', 'info.name'],
    ['a name that is a number', { name: 5 }, 'wrong-type', 'info.name'],
    ['an empty name', { name: '' }, 'unsafe-path', 'info.name'],
    ['no piece length', { 'piece length': undefined }, 'missing-field', 'info.piece length'],
    ['a piece length of text', { 'piece length': '16384' }, 'wrong-type', 'info.piece length'],
    ['a piece length of 0', { 'piece length': 0 }, 'invalid-piece-length', 'info.piece length'],
    [
      'a negative piece length',
      { 'piece length': -16_384 },
      'invalid-piece-length',
      'info.piece length',
    ],
    [
      'a piece length beyond 64 GiB',
      { 'piece length': 2 ** 36 + 1 },
      'invalid-piece-length',
      'info.piece length',
    ],
    ['neither length nor files', { length: undefined }, 'missing-field', 'info.length'],
    ['a length of text', { length: '5' }, 'wrong-type', 'info.length'],
    ['a negative length', { length: -1 }, 'invalid-length', 'info.length'],
    ['no bytes at all', { length: 0, pieces: '' }, 'no-content', 'info'],
    ['no pieces', { pieces: undefined }, 'missing-field', 'info.pieces'],
    ['pieces that are a list', { pieces: [] }, 'wrong-type', 'info.pieces'],
    ['79 bytes of hashes', { pieces: new Uint8Array(79) }, 'invalid-pieces', 'info.pieces'],
    ['a hash too few', { pieces: new Uint8Array(60) }, 'piece-count-mismatch', 'info.pieces'],
    ['a hash too many', { pieces: new Uint8Array(100) }, 'piece-count-mismatch', 'info.pieces'],
    ['files that are a dictionary', { files: {} }, 'wrong-type', 'info.files'],
    ['no file', { files: [] }, 'no-content', 'info'],
    ['a file that is a list', { files: [[]] }, 'wrong-type', 'info.files[0]'],
    ['a file without a path', { files: [{ length: 1 }] }, 'missing-field', 'info.files[0].path'],
    ['a path of text', { files: [{ length: 1, path: 'a' }] }, 'wrong-type', 'info.files[0].path'],
    [
      'a path of numbers',
      { files: [{ length: 1, path: [5] }] },
      'wrong-type',
      'info.files[0].path',
    ],
    [
      'a file without a length',
      { files: [{ path: ['a'] }] },
      'missing-field',
      'info.files[0].length',
    ],
    ['only padding', { files: [{ length: 1, path: ['a'], attr: 'p' }] }, 'no-content', 'info'],
    ['a file tree without a version', { 'file tree': {} }, 'missing-field', 'info.meta version'],
    ['a version of text', { 'meta version': '2' }, 'wrong-type', 'info.meta version'],
    ['version 3', { 'meta version': 3 }, 'unknown-version', 'info.meta version'],
    ['version 0', { 'meta version': 0 }, 'unknown-version', 'info.meta version'],
    ['version 2 without a tree', { 'meta version': 2 }, 'missing-field', 'info.file tree'],
  ])('%s', (_, fields, code, field) => {
    expect(refusalOf(v1Info(fields))).toMatchObject({ code, field });
  });

  test('a sum beyond 2^53 is refused, unless it is asked for: then it is exact', () => {
    const length = Number.MAX_SAFE_INTEGER;
    const pieceLength = 2 ** 36;
    const files = [
      { path: ['a'], length },
      { path: ['b'], length },
    ];
    const total = 2n * BigInt(length);
    const info = v1Files(files, {
      'piece length': pieceLength,
      pieces: new Uint8Array(20 * Number(total / BigInt(pieceLength) + 1n)),
    });
    expect(refusalOf(info).code).toBe('total-too-large');
    const parsed = parseInfo(encode(info), { maxTotalLength: Number.POSITIVE_INFINITY });
    expect(parsed.geometry.totalLengthExact).toBe(total);
  });

  test('names that only Windows forbids are changed when asked to', () => {
    const info = encode(v1Files([{ path: ['who?'] }], { name: 'a*' }));
    expect(parseInfo(info).files.pathOf(0)).toEqual(['a*', 'who?']);
    expect(parseInfo(info, { windowsNames: true }).files.pathOf(0)).toEqual(['a_', 'who_']);
  });

  test('paths are also known as the torrent spells them', () => {
    const raw = (info: Fields) =>
      parseInfo(encode(info), { windowsNames: true })
        .files.rawPathOf(0)
        ?.map((component) => Buffer.from(component).toString('latin1'));
    expect(raw(v1Files([{ path: ['who?', 'CON'] }], { name: 'a*' }))).toEqual([
      'a*',
      'who?',
      'CON',
    ]);
    expect(raw(v1Info({ name: Uint8Array.of(0xff, 0x3a) }))).toEqual(['\xff:']);
    expect(raw(v2Info())).toEqual(['file.bin']);
    expect(raw(v2Info({ name: 'other' }))).toEqual(['other', 'file.bin']);
    expect(raw(v1Files([{ attr: 'p' }, { path: ['a'] }]))).toBeUndefined();
  });

  test('private is any number but 0 (BEP 27)', () => {
    const isPrivate = (value: BencodeInput) => parseFields(v1Info({ private: value })).isPrivate;
    expect([1, 2, -1, 2n ** 70n].map(isPrivate)).toEqual([true, true, true, true]);
    expect([0, '1', []].map(isPrivate)).toEqual([false, false, false]);
  });

  test('version 1 may be said', () => {
    expect(parseFields(v1Info({ 'meta version': 1 })).version).toBe('v1');
  });
});

describe('M8: limits', () => {
  test('on bytes, values and pieces, each of which the caller can change', () => {
    const bytes = encode({ info: v1Info() });
    const limited = expect.objectContaining({ code: 'limit-exceeded' });
    expect(() => parseMetainfo(bytes, { maxBytes: bytes.length - 1 })).toThrow(limited);
    expect(() => parseMetainfo(bytes, { maxItems: 5 })).toThrow(limited);
    expect(() => parseMetainfo(bytes, { maxPieces: 3 })).toThrow(limited);
    expect(parseMetainfo(bytes, { maxBytes: bytes.length, maxPieces: 4 })).toBeDefined();
    // 2^32 pieces are counted, not made.
    expect(refusalOf(v1Info({ length: 2 ** 32, 'piece length': 1 })).code).toBe('limit-exceeded');
    const tree = { a: { '': { length: 2 ** 52, 'pieces root': ROOT } } };
    expect(refusalOf(v2Info({ 'file tree': tree })).code).toBe('limit-exceeded');
    expect(() => parseMetainfo(new Uint8Array(64 * 2 ** 20 + 1))).toThrow(limited);
  });
});

describe('M9: v2 that does not add up', () => {
  const made = makeTorrent('v2', 32_768, 'n', [
    { path: ['a'], data: content(100_000, 1) },
    { path: ['b'], data: content(70_000, 2) },
    { path: ['c'], data: content(32_768, 3) },
  ]);
  const withLayers = (change: (layers: Map<string, Uint8Array>) => void) => {
    const pieceLayers = new Map(made.pieceLayers);
    change(pieceLayers);
    return () => parseMetainfo(buildMetainfo({ info: made.info, pieceLayers }));
  };
  const [[rootA, layerA], [rootB, layerB]] = [...made.pieceLayers] as [
    [string, Uint8Array],
    [string, Uint8Array],
  ];
  const mismatch = expect.objectContaining({ code: 'piece-layer-mismatch' });

  test('layers are checked against their roots', () => {
    expect(made.pieceLayers.size).toBe(2);
    expect(withLayers(() => {})().pieceLayers).toEqual(made.pieceLayers);
    const flipped = layerA.slice();
    flipped[40]! ^= 1;
    expect(withLayers((layers) => layers.set(rootA, flipped))).toThrow(mismatch);
    expect(withLayers((layers) => layers.set(rootA, layerB))).toThrow(mismatch);
    expect(withLayers((layers) => layers.set(rootA, layerA.subarray(32)))).toThrow(mismatch);
    // The padding of the layer written out has the right root, and the wrong length.
    const padded = new Uint8Array([...layerB, ...merklePadding(1)]);
    expect(merkleRoot(padded, { padding: merklePadding(1) })).toEqual(
      merkleRoot(layerB, { padding: merklePadding(1) }),
    );
    expect(withLayers((layers) => layers.set(rootB, padded))).toThrow(mismatch);
    expect(withLayers((layers) => layers.set('00'.repeat(32), layerA))).toThrow(mismatch);
  });

  test('a layer that is missing can come from peers', () => {
    expect(withLayers((layers) => layers.delete(rootB))().pieceLayers.size).toBe(1);
    expect(parseMetainfo(buildMetainfo({ info: made.info })).pieceLayers.size).toBe(0);
    expect(isPieceLayer(layerA, parseInfo(made.info).files.piecesRootOf(0)!, 32_768)).toBe(true);
    expect(isPieceLayer(layerB, parseInfo(made.info).files.piecesRootOf(0)!, 32_768)).toBe(false);
    expect(isPieceLayer(new Uint8Array(0), ROOT, 32_768)).toBe(false);
    expect(isPieceLayer(new Uint8Array(31), ROOT, 32_768)).toBe(false);
  });

  test('layers that are no dictionary of hashes are refused', () => {
    expect(refusalOf(v2Info(), { 'piece layers': [] }).code).toBe('wrong-type');
    const info = v2Info({
      'file tree': { 'file.bin': { '': { length: 100_000, 'pieces root': ROOT } } },
    });
    const layers = new Map<Uint8Array, BencodeInput>([[ROOT, 5]]);
    expect(refusalOf(info, { 'piece layers': layers }).code).toBe('piece-layer-mismatch');
  });

  test.each([0, 8192, 16_383, 24_576, 2 ** 37])('a piece length of %i is refused', (length) => {
    expect(refusalOf(v2Info({ 'piece length': length })).code).toBe('invalid-piece-length');
  });
});

describe('what stands beside info', () => {
  test('trackers: announce-list before announce, each once, what is no URL left out', () => {
    expect(outer({ announce: 'http://a.example/' }).announceTiers).toEqual([['http://a.example/']]);
    expect(
      outer({
        announce: 'http://a.example/',
        'announce-list': [
          ['http://b.example/', ' udp://c.example:1 ', 'http://b.example/', 5, 'javascript:x'],
          [],
          'http://no-list.example/',
          ['http://b.example/'],
          ['wss://d.example/'],
        ],
      }).announceTiers,
    ).toEqual([['http://b.example/', 'udp://c.example:1'], ['wss://d.example/']]);
    expect(
      outer({ announce: 'http://a.example/', 'announce-list': [] }).announceTiers,
    ).toHaveLength(1);
    expect(outer({ announce: 'http://a.example/\r\nX: y' }).announceTiers).toEqual([]);
    expect(outer({ announce: ['http://a.example/'], 'announce-list': 'x' }).announceTiers).toEqual(
      [],
    );
    expect(outer({}).announceTiers).toEqual([]);
  });

  test('web seeds: one or several', () => {
    expect(outer({ 'url-list': 'http://w.example/a b' }).webSeeds).toEqual([
      'http://w.example/a%20b',
    ]);
    expect(outer({ 'url-list': ['https://w.example/', 'udp://x.example', 5] }).webSeeds).toEqual([
      'https://w.example/',
    ]);
    expect(outer({ 'url-list': '' }).webSeeds).toEqual([]);
    expect(outer({ 'url-list': 5 }).webSeeds).toEqual([]);
  });

  test('nodes, comment, creator, date; what is of another type is left out', () => {
    expect(
      outer({
        nodes: [['a.example', 1], ['::1', 65_535], ['b', 0], ['b'], [5, 5], 'c', ['d e', 5]],
        comment: 'hi',
        'created by': 'me',
        'creation date': 5,
      }),
    ).toMatchObject({
      nodes: [
        { host: 'a.example', port: 1 },
        { host: '::1', port: 65_535 },
      ],
      comment: 'hi',
      createdBy: 'me',
      createdAtSeconds: 5,
    });
    const none = outer({ nodes: 5, comment: [], 'created by': 5, 'creation date': 'x' });
    expect(Object.keys(none).sort()).toEqual([
      'announceTiers',
      'info',
      'nodes',
      'pieceLayers',
      'webSeeds',
    ]);
    expect(outer({ comment: 'a', 'comment.utf-8': 'b' }).comment).toBe('b');
  });

  test('M8: all of it is capped', () => {
    const urls = Array.from({ length: 3000 }, (_, index) => `http://t${index}.example/`);
    const nodes = urls.map((_, index): [string, number] => ['n', index + 1]);
    const capped = outer({ 'announce-list': [urls, urls], 'url-list': urls, nodes });
    expect(capped.announceTiers.flat()).toHaveLength(1000);
    expect(capped.webSeeds).toHaveLength(1000);
    expect(capped.nodes).toHaveLength(1000);
  });
});

describe('M11: only MetainfoError', () => {
  const seeds = [
    buildMetainfo({
      ...makeTorrent('hybrid', 16_384, 'n', [
        { path: ['a', 'b'], data: content(40_000, 1) },
        { path: ['c'], data: content(10, 2) },
      ]),
      announceTiers: [['http://a.example/']],
      nodes: [{ host: 'a', port: 1 }],
    }),
    encode({
      info: v1Files([
        { path: ['a'], attr: 'x', 'path.utf-8': ['a'] },
        { path: ['l'], attr: 'l', 'symlink path': ['a'] },
      ]),
    }),
    encode({ info: v2Info() }),
  ];

  function survives(bytes: Uint8Array): void {
    try {
      const { info } = parseMetainfo(bytes);
      for (const file of info.files) expect(file.path.length).toBeGreaterThan(0);
      expect(info.geometry.pieceCount).toBeGreaterThan(0);
    } catch (error) {
      expect(error).toBeInstanceOf(MetainfoError);
      expect((error as MetainfoError).message).toMatch(/^[A-Z].*\.$/s);
    }
  }

  test('for arbitrary bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        survives(bytes);
      }),
    );
  });

  test('for good torrents with some bytes changed, cut or doubled', () => {
    const edit = fc.record({
      at: fc.nat(),
      remove: fc.nat({ max: 3 }),
      insert: fc.oneof(
        fc.uint8Array({ maxLength: 3 }),
        fc.constantFrom(...['i-1e', 'de', 'le', '0:', 'e'].map(utf8)),
      ),
    });
    fc.assert(
      fc.property(
        fc.constantFrom(...seeds),
        fc.array(edit, { minLength: 1, maxLength: 4 }),
        (seed, edits) => {
          let bytes = [...seed];
          for (const { at, remove, insert } of edits) {
            bytes = bytes.toSpliced(at % bytes.length, remove, ...insert);
          }
          survives(Uint8Array.from(bytes));
        },
      ),
      { numRuns: 1500 },
    );
  });

  test('for info dictionaries whose fields have any type', () => {
    const { value } = fc.letrec<{ value: BencodeInput }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 3 },
        fc.bigInt({ min: -(2n ** 65n), max: 2n ** 65n }),
        fc.integer(),
        fc.string({ maxLength: 5 }),
        fc.constantFrom<BencodeInput>('l', 'p', ROOT, new Uint8Array(20), 2, 16_384),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(
          fc.constantFrom('', 'a', 'length', 'path', 'attr', 'pieces root'),
          tie('value'),
        ),
      ),
    }));
    const key = fc.constantFrom(
      'files',
      'length',
      'name',
      'pieces',
      'piece length',
      'file tree',
      'meta version',
      'attr',
      'name.utf-8',
      'private',
      'source',
    );
    fc.assert(
      fc.property(
        fc.constantFrom(v1Info(), v1Files([{ path: ['a'] }]), v2Info()),
        fc.dictionary(key, value, { maxKeys: 2 }),
        value,
        (info, changes, layers) => {
          survives(encode({ info: { ...info, ...changes }, 'piece layers': layers }));
        },
      ),
      { numRuns: 1500 },
    );
  });
});
