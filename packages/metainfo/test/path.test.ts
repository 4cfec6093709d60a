import { join, resolve } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MetainfoError, parseInfo } from '../src/index.ts';
import {
  foldName,
  type PathReason,
  type PathRules,
  printableText,
  safeComponent,
} from '../src/path.ts';
import { parseFields, refusalOf, v1Files, v1Info, v2Info } from './torrents.ts';

const utf8 = (text: string) => new TextEncoder().encode(text);

function safe(name: string | Uint8Array, rules: PathRules = {}): [string, PathReason[]] {
  const reasons = new Set<PathReason>();
  const bytes = typeof name === 'string' ? utf8(name) : name;
  return [safeComponent(bytes, () => 'field', reasons, rules), [...reasons]];
}

describe('safeComponent', () => {
  test.each([
    'readme.txt',
    'a',
    '.hidden',
    'foo..bar',
    '...and more',
    'What? "Yes" <no> | maybe*',
    'Straße & Москва 東京',
    "it's (1) [2] {3}",
    'CONTACT',
    'console',
    'COM10',
    'nulls.txt',
    'Lpt',
    ' leading space',
    'zero\u200dwidth\u200cjoiners',
    'x'.repeat(255),
    'é'.repeat(127),
  ])('leaves %j alone', (name) => {
    expect(safe(name)).toEqual([name, []]);
  });

  test.each<[string, string, PathReason]>([
    ['AC/DC', 'AC_DC', 'reserved-character'],
    ['a\\b', 'a_b', 'reserved-character'],
    ['\\', '_', 'reserved-character'],
    ['a:b', 'a_b', 'reserved-character'],
    ['C:', 'C_', 'reserved-character'],
    ['CON', '_CON', 'reserved-name'],
    ['nul.txt', '_nul.txt', 'reserved-name'],
    ['Aux .tar.gz', '_Aux .tar.gz', 'reserved-name'],
    ['com1', '_com1', 'reserved-name'],
    ['LPT\u00b2', '_LPT\u00b2', 'reserved-name'],
    ['CONIN$', '_CONIN$', 'reserved-name'],
    ['foo.', 'foo_', 'trailing-dot-or-space'],
    ['foo. . ', 'foo____', 'trailing-dot-or-space'],
    ['.', '_', 'trailing-dot-or-space'],
    ['...', '___', 'trailing-dot-or-space'],
    ['Icon\r', 'Icon', 'control-character'],
    ['a\u001b[31mb', 'a[31mb', 'control-character'],
    ['a\u0085b\u007f', 'ab', 'control-character'],
    ['\u202e', '_', 'control-character'],
    ['photo\u202egpj.exe', 'photogpj.exe', 'control-character'],
    ['\ufeffa\u2066b\u061c', 'ab', 'control-character'],
    ['a\u2028b', 'ab', 'control-character'],
  ])('renames %j to %j', (name, renamed, reason) => {
    expect(safe(name)).toEqual([renamed, [reason]]);
  });

  test('cuts long names before their extension, between characters', () => {
    expect(safe(`${'x'.repeat(300)}.mp3`)).toEqual([`${'x'.repeat(251)}.mp3`, ['too-long']]);
    const [name] = safe(`${'\u{1f600}'.repeat(100)}.jpeg`);
    expect(name).toBe(`${'\u{1f600}'.repeat(62)}.jpeg`);
    const [noExtension] = safe(`a.${'b'.repeat(300)}`);
    expect(noExtension).toHaveLength(255);
  });

  test('shows bytes that are not UTF-8 as U+FFFD', () => {
    expect(safe(Uint8Array.of(0x61, 0xff, 0x62))).toEqual(['a\ufffdb', ['not-utf-8']]);
    // An overlong slash is no slash.
    expect(safe(Uint8Array.of(0xc0, 0xaf))).toEqual(['\ufffd\ufffd', ['not-utf-8']]);
  });

  test('replaces what only Windows forbids when asked to', () => {
    expect(safe('<a>"b"|c?*', { windowsNames: true })).toEqual([
      '_a__b__c__',
      ['reserved-character'],
    ]);
  });

  test.each([
    ['', 'empty'],
    ['..', '".."'],
    ['../x', '".."'],
    ['a/../b', '".."'],
    ['a\\..\\b', '".."'],
    ['x/..', '".."'],
    ['.\u202e.', '".."'],
    ['.\r.', '".."'],
    ['a\0b', 'NUL'],
    ['/', 'absolute'],
    ['/etc/passwd', 'absolute'],
    ['\u200f/etc', 'absolute'],
    ['\\\\server\\share', 'absolute'],
    ['\\windows', 'absolute'],
    ['C:\\windows', 'absolute'],
    ['c:/windows', 'absolute'],
  ])('M1: refuses %j', (name, word) => {
    expect(() => safe(name)).toThrow(
      expect.objectContaining({ code: 'unsafe-path', message: expect.stringContaining(word) }),
    );
  });

  test('whatever comes in, a safe name or a refusal comes out', () => {
    const nasty = fc.array(
      fc.constantFrom(
        '.',
        '..',
        '/',
        '\\',
        ':',
        ' ',
        '\0',
        '\r',
        '\u202e',
        'con',
        'é',
        'x',
        '\u{1f600}',
      ),
      { maxLength: 300 },
    );
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.string({ unit: 'binary', maxLength: 300 }).map(utf8),
      nasty.map((parts) => utf8(parts.join(''))),
    );
    fc.assert(
      fc.property(bytes, fc.boolean(), (component, windowsNames) => {
        let name: string;
        try {
          name = safe(component, { windowsNames })[0];
        } catch (error) {
          expect(error).toMatchObject({
            name: 'MetainfoError',
            code: 'unsafe-path',
            field: 'field',
          });
          return;
        }
        expect(utf8(name).length).toBeGreaterThan(0);
        expect(utf8(name).length).toBeLessThanOrEqual(255);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: none of them may be left
        expect(name).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069/\\:]/);
        expect(name).not.toMatch(/[. ]$/);
        expect(name).not.toMatch(/^(con|prn|aux|nul|com\d|lpt\d) *(\.|$)/i);
        expect(join('/downloads', name)).toBe(`/downloads/${name}`);
        // Safe names stay as they are.
        expect(safe(name, { windowsNames })).toEqual([name, []]);
      }),
      { numRuns: 3000 },
    );
  });
});

test('foldName joins what a file system may take for one name', () => {
  for (const [a, b] of [
    ['README', 'readme'],
    ['\u00c9', 'e\u0301'],
    ['\u017f', 's'],
    ['\u03c2', '\u03c3'],
    ['\u212a', 'k'],
  ] as const) {
    expect(foldName(a)).toBe(foldName(b));
  }
  expect(foldName('a')).not.toBe(foldName('b'));
});

test('printableText escapes what would move a cursor or turn the writing, and is bounded', () => {
  expect(printableText(utf8('a\u001b[2J\u202eb'))).toBe('a\\u001b[2J\\u202eb');
  expect(printableText(new Uint8Array(10_000).fill(0x61)).length).toBeLessThan(300);
});

describe('paths of a torrent', () => {
  const paths = (files: readonly (readonly string[])[]) =>
    [...parseFields(v1Files(files.map((path) => ({ path })))).files].map((file) =>
      file.path.slice(1).join('/'),
    );

  test('begin with the name of the torrent, which is held to the same rules', () => {
    expect(parseFields(v1Files([{ path: ['a', 'b'] }])).files.pathOf(0)).toEqual([
      'folder',
      'a',
      'b',
    ]);
    expect(parseFields(v1Info()).files.pathOf(0)).toEqual(['file.bin']);
    const info = parseFields(v1Info({ name: 'a:b\u0000'.slice(0, 3) }));
    expect(info.name).toBe('a_b');
    expect(info.files.pathOf(0)).toEqual(['a_b']);
    expect(info.warnings).toEqual([
      { reasons: ['reserved-character'], original: 'a:b', renamed: 'a_b' },
    ]);
  });

  test.each([
    ['name', v1Info({ name: '..' }), 'info.name'],
    ['name of a folder', v1Files([{ path: ['a'] }], { name: '../up' }), 'info.name'],
    ['component', v1Files([{ path: ['a'] }, { path: ['..', 'b'] }]), 'info.files[1].path'],
    ['empty path', v1Files([{ path: [] }]), 'info.files[0].path'],
    ['empty component', v1Files([{ path: ['a', ''] }]), 'info.files[0].path'],
    ['absolute', v1Files([{ path: ['/etc', 'passwd'] }]), 'info.files[0].path'],
    ['NUL', v1Files([{ path: ['a\0'] }]), 'info.files[0].path'],
    ['101 folders', v1Files([{ path: Array(101).fill('a') }]), 'info.files[0].path'],
    ['name.utf-8', v1Info({ 'name.utf-8': '..' }), 'info.name'],
    ['path.utf-8', v1Files([{ path: ['a'], 'path.utf-8': ['..'] }]), 'info.files[0].path'],
    [
      'v2 folder',
      v2Info({ name: 'n', 'file tree': { '..': { a: { '': { length: 0 } } } } }),
      'info.files[0].path',
    ],
  ])('M1: refuses an unsafe %s', (_, info, field) => {
    expect(refusalOf(info)).toMatchObject({ code: 'unsafe-path', field });
  });

  test('M1: path.utf-8 and name.utf-8 count where they are sound, and nowhere else', () => {
    const name = (fields: object) => parseFields(v1Info(fields as never)).name;
    expect(name({ 'name.utf-8': 'ü' })).toBe('ü');
    expect(name({ 'name.utf-8': Uint8Array.of(0xff) })).toBe('file.bin');
    expect(name({ 'name.utf-8': 5 })).toBe('file.bin');
    const path = (utf: unknown) =>
      parseFields(v1Files([{ path: [Uint8Array.of(0xe9), 'x'], 'path.utf-8': utf } as never]))
        .files.pathOf(0)
        .slice(1);
    expect(path(['é', 'x'])).toEqual(['é', 'x']);
    for (const utf of [['é'], ['é', 5], ['é', Uint8Array.of(0xff)], 'é', 7]) {
      expect(path(utf)).toEqual(['\ufffd', 'x']);
    }
  });

  test('M3: files that would share a path get numbers, in their order', () => {
    expect(paths([['a.txt'], ['A.TXT'], ['a.txt'], ['a.1.txt'], ['b']])).toEqual([
      'a.txt',
      'A.2.TXT',
      'a.3.txt',
      'a.1.txt',
      'b',
    ]);
    expect(paths([['x'], ['x', 'y'], ['X', 'y']])).toEqual(['x.1', 'x/y', 'X/y.1']);
    expect(
      paths([
        ['d', 'CON'],
        ['d', '_CON'],
        ['d', 'a:'],
        ['d', 'a_'],
      ]),
    ).toEqual(['d/_CON', 'd/_CON.1', 'd/a_', 'd/a_.1']);
    expect(paths([['é'], ['e\u0301']])).toEqual(['é', 'e\u0301.1']);
    expect(paths([['.bashrc'], ['.bashrc']])).toEqual(['.bashrc', '.bashrc.1']);
  });

  test('M3: a name at the limit of length makes room for its number', () => {
    const long = `${'é'.repeat(120)}.flac`;
    const [first, second] = paths([[long], [long]]);
    expect(first).toBe(long);
    expect(second).toMatch(/^é+\.1\.flac$/);
    const cut = paths([[`${'a'.repeat(300)}.x`], [`${'a'.repeat(301)}.x`]]);
    expect(new Set(cut).size).toBe(2);
    for (const path of cut) expect(utf8(path).length).toBeLessThanOrEqual(255);
  });

  test('M3: collisions are reported with the name that they had', () => {
    const info = parseFields(v1Files([{ path: ['a'] }, { path: ['A\r'] }]));
    expect(info.warnings).toEqual([
      {
        fileIndex: 1,
        reasons: ['control-character', 'collision'],
        original: 'folder/A\\u000d',
        renamed: 'folder/A.1',
      },
    ]);
  });

  test('M3: ten thousand files of one name are renamed in linear time, and not all are told', () => {
    const count = 10_000;
    const list = 'd6:lengthi1e4:pathl1:aee'.repeat(count);
    const info = utf8(
      `d5:filesl${list}e4:name1:n12:piece lengthi${count}e6:pieces20:${'h'.repeat(20)}e`,
    );
    const { files, warnings, renamedCount } = parseInfo(info);
    expect(files.count).toBe(count);
    expect(files.pathOf(0)).toEqual(['n', 'a']);
    expect(files.pathOf(count - 1)).toEqual(['n', `a.${count - 1}`]);
    expect(warnings).toHaveLength(1000);
    expect(renamedCount).toBe(count - 1);
  });

  test('M1, M3: whatever the components, every path is inside the folder and no two are one', () => {
    const component = fc.oneof(
      fc.constantFrom(
        'a',
        'A',
        'a.1',
        'b',
        'B.',
        'B_',
        'con',
        '_CON',
        'é',
        'e\u0301',
        'x:y',
        'x_y',
        '.',
      ),
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 4 }),
    );
    fc.assert(
      fc.property(
        fc.array(fc.array(component, { minLength: 1, maxLength: 3 }), {
          minLength: 1,
          maxLength: 20,
        }),
        (list) => {
          let info: ReturnType<typeof parseFields>;
          try {
            info = parseFields(v1Files(list.map((path) => ({ path }))));
          } catch (error) {
            expect(error).toBeInstanceOf(MetainfoError);
            return;
          }
          const files = [...info.files].map((file) => file.path);
          const folded = files.map((path) => path.map(foldName).join('/'));
          expect(new Set(folded).size).toBe(files.length);
          for (const path of folded) {
            expect(folded.some((other) => other.startsWith(`${path}/`))).toBe(false);
          }
          for (const path of files) {
            expect(resolve('/downloads', ...path)).toBe(`/downloads/${path.join('/')}`);
          }
          // Deterministic: the same bytes, the same names.
          expect([...parseInfo(info.bytes).files].map((file) => file.path)).toEqual(files);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('M2: symbolic links', () => {
  const link = (target: unknown) =>
    v1Files([
      { path: ['real'] },
      { path: ['link'], attr: 'l', length: 0, 'symlink path': target } as never,
    ]);

  test('have a target inside of the torrent, and no bytes', () => {
    const info = parseFields(link(['real']));
    expect(info.files.at(1)).toMatchObject({
      path: ['folder', 'link'],
      length: 0,
      symlinkTarget: ['folder', 'real'],
    });
    expect(info.files.isSymlink(0)).toBe(false);
    expect(info.files.symlinkTargetOf(0)).toBeUndefined();
    const claimed = v1Files([
      { path: ['real'] },
      { path: ['link'], attr: 'l', length: 1e9, 'symlink path': ['real'] },
    ]);
    expect(parseFields({ ...claimed, pieces: new Uint8Array(20) }).files.lengthOf(1)).toBe(0);
  });

  test.each([
    ['upwards', ['..', 'etc']],
    ['hidden upwards', ['a', 'b/../../c']],
    ['absolute', ['/etc/passwd']],
    ['nowhere', []],
    ['through an empty name', ['a', '']],
    ['to a number', [5]],
    ['to no list', 'real'],
    ['too deep', Array(101).fill('a')],
    ['absent', undefined],
  ])('that lead %s are refused', (_, target) => {
    expect(refusalOf(link(target))).toMatchObject({
      code: 'unsafe-symlink',
      field: 'info.files[1].symlink path',
    });
  });

  test('of v2 too', () => {
    const tree = (target: unknown) =>
      v2Info({
        name: 'n',
        'file tree': {
          a: { '': { length: 5, 'pieces root': new Uint8Array(32).fill(1) } },
          b: { '': { attr: 'l', 'symlink path': target } as never },
        },
      });
    expect(parseFields(tree(['a'])).files.at(1).symlinkTarget).toEqual(['n', 'a']);
    expect(refusalOf(tree(['..'])).code).toBe('unsafe-symlink');
    expect(refusalOf(tree(undefined)).code).toBe('unsafe-symlink');
  });
});
