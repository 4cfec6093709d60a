import { describe, expect, it } from 'vitest';
import { type MakeArguments, parseArguments } from '../src/arguments.ts';

const parse = (...words: string[]) => parseArguments(words, () => '1.2.3');
const make = (...words: string[]) => parse('in', ...words) as MakeArguments;

describe('parseArguments', () => {
  it('makes a plain v1 torrent by default', () => {
    expect(parse('in')).toEqual({
      kind: 'make',
      input: 'in',
      announceTiers: [],
      webSeeds: [],
      exclude: [],
      version: 'v1',
      hasDate: true,
      isPrivate: false,
      hasEntropy: false,
      isForced: false,
      isVerbose: false,
      isJson: false,
      wantsMagnet: false,
    });
    expect(parse('-f', 'in')).toEqual(parse('in'));
    expect(parse('--input-file=in')).toEqual(parse('in'));
  });

  it('takes the original long names', () => {
    const words = [
      '--announce-urls',
      'http://a',
      '--comment',
      'c',
      '--not-write',
      '--piece-length',
      '20',
      '--torrent-name',
      'n',
      '--torrent-path',
      'p',
      '--verbose',
    ];
    expect(make(...words)).toEqual(
      make('-a', 'http://a', '-c', 'c', '-w', '-l', '20', '-n', 'n', '-p', 'p', '-v'),
    );
    expect(make(...words)).toMatchObject({
      announceTiers: [['http://a']],
      comment: 'c',
      hasDate: false,
      pieceLength: 2 ** 20,
      name: 'n',
      torrentPath: 'p',
      isVerbose: true,
    });
  });

  it('reads tiers: commas within one, repetition for the next', () => {
    expect(make('-a', 'http://a, udp://b:1', '-a', 'wss://c').announceTiers).toEqual([
      ['http://a', 'udp://b:1'],
      ['wss://c'],
    ]);
  });

  it.each([
    ['14', 2 ** 14],
    ['18', 2 ** 18],
    ['36', 2 ** 36],
    ['37', 37],
    ['262144', 262_144],
    ['256K', 262_144],
    ['256k', 262_144],
    ['256KiB', 262_144],
    ['256KB', 262_144],
    ['1M', 2 ** 20],
    ['1G', 2 ** 30],
    ['16K', 16_384],
  ])('reads -l %s as %i bytes', (text, bytes) => {
    expect(make('-l', text).pieceLength).toBe(bytes);
  });

  it.each(['0', '13', '-1', '1.5', '1T', 'K', '1e6', '', '0x10', '99999999999999'])(
    'refuses -l %s',
    (text) => {
      expect(() => make(`-l${text === '' ? ' ' : text}`)).toThrow(/piece-length.*is invalid/);
    },
  );

  it.each([
    [['-w', '1']],
    [['-w', 'true']],
    [['-w', '0']],
    [['-w', 'false']],
    [['--not-write', '1']],
    [['--not-write=1']],
  ])('ignores the value in %j', (words) => {
    expect(make(...words)).toEqual(make('-w'));
  });

  it('leaves other words after -w and -v alone, and all words after --', () => {
    expect(parse('-w', 'folder', '-v', '1')).toMatchObject({
      input: 'folder',
      hasDate: false,
      isVerbose: true,
    });
    expect(parse('-v', '--', '1')).toMatchObject({ input: '1', isVerbose: true });
    expect(parse('-c', '-w', '1')).toMatchObject({ comment: '-w', input: '1' });
  });

  it('takes a file named as a command with -f', () => {
    for (const name of ['show', 'help']) {
      expect(parse('-f', name)).toMatchObject({ kind: 'make', input: name });
    }
  });

  it('reads the other flags', () => {
    expect(
      make(
        '--v2',
        '--private',
        '--source',
        's',
        '--web-seed',
        'http://w/1',
        '--web-seed',
        'https://w/2',
        '--exclude',
        '*.a',
        '--exclude',
        'b',
        '--entropy',
        '--threads',
        '3',
        '--force',
        '--json',
        '--magnet',
      ),
    ).toMatchObject({
      version: 'v2',
      isPrivate: true,
      source: 's',
      webSeeds: ['http://w/1', 'https://w/2'],
      exclude: ['*.a', 'b'],
      hasEntropy: true,
      threads: 3,
      isForced: true,
      isJson: true,
      wantsMagnet: true,
    });
    expect(make('--hybrid').version).toBe('hybrid');
  });

  it('reads show and check', () => {
    expect(parse('show', 'f', '--json')).toEqual({
      kind: 'show',
      torrent: 'f',
      isJson: true,
      wantsMagnet: false,
    });
    expect(parse('check', 'f', 'd', '--threads', '2')).toEqual({
      kind: 'check',
      torrent: 'f',
      data: 'd',
      threads: 2,
      isJson: false,
    });
  });

  it.each([
    [[], /Which file or folder/],
    [['--nope', 'in'], /Unknown option '--nope'/],
    [
      ['info', 'x.torrent'],
      /'info' is no command: those are show FILE, check FILE DATA and publish FILE\./,
    ],
    [['in', 'and', 'another'], /'in' is no command.* one INPUT/],
    [['in', '-f', 'in'], /given twice/],
    [['in', '--v2', '--hybrid'], /exclude each other/],
    [['in', '-a', 'tracker'], /tracker is not an address/],
    [['in', '-a', 'ftp://t'], /not an address/],
    [['in', '-a', ','], /no tracker/],
    [['in', '--web-seed', 'udp://w'], /not an address/],
    [['in', '--threads', '0'], /1 to 64/],
    [['in', '-p', '-', '--json'], /standard output/],
    [['in', '-p', '-', '--magnet'], /standard output/],
    [['in', '-p', ''], /-p needs a path/],
    [['show'], /Missing required argument 'FILE'/],
    [['check', 'f'], /Missing required argument 'DATA'/],
  ])('refuses %j', (words, message) => {
    expect(() => parse(...words)).toThrow(
      expect.objectContaining({
        name: 'ExitError',
        exitCode: 2,
        message: expect.stringMatching(message),
      }),
    );
  });

  it('prints the version and the help', () => {
    expect(parse('--version')).toEqual({ kind: 'print', text: '1.2.3\n' });
    const help = parse('--help');
    expect(help).toEqual(parse('-h'));
    const { text } = help as { text: string };
    for (const part of [
      '--announce-urls',
      '--hybrid',
      'Examples:',
      'Exit codes:',
      "Debian's mktorrent",
      'show',
      'check',
      '2,000 pieces',
    ]) {
      expect(text).toContain(part);
    }
    for (const words of [
      ['show', '--help'],
      ['help', 'show'],
    ]) {
      expect(parse(...words)).toMatchObject({
        kind: 'print',
        text: expect.stringMatching(/ show .*--magnet/s),
      });
    }
    expect(parse('help')).toEqual(help);
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(84);
  });
});
