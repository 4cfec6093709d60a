import { describe, expect, it } from 'vitest';
import type { Printout } from '../src/command-line.ts';
import { type Options, parseOptions } from '../src/options.ts';
import { strategiesOf } from '../src/strategies.ts';

function options(...args: string[]): Options {
  const parsed = parseOptions(['-t', 'x.torrent', ...args], '1.2.3');
  if ('text' in parsed) throw new Error(parsed.text);
  return parsed;
}

function printout(...args: string[]): Printout {
  const parsed = parseOptions(args, '1.2.3');
  if (!('text' in parsed)) throw new Error('it was taken');
  return parsed;
}

const ON = {
  optimisticUnchoking: true,
  antiSnubbing: true,
  choking: true,
  endGame: true,
  rarestFirst: true,
  bbsPlus: false,
};
const OFF = {
  optimisticUnchoking: false,
  antiSnubbing: false,
  choking: false,
  endGame: false,
  rarestFirst: false,
  bbsPlus: false,
};

describe('the DHT', () => {
  it('is on by itself where there is no tracker, unless a flag says so', () => {
    expect(options()).toMatchObject({ dht: undefined, bootstrap: undefined, dhtPort: 0 });
    expect(options('--no-dht')).toMatchObject({ dht: false });
  });

  it.each([
    [['-d'], undefined],
    [['--dht'], undefined],
    [['-d', '1'], undefined],
    [['-d', 'true'], undefined],
    [['-d', '192.0.2.7:6881'], ['192.0.2.7:6881']],
    [
      ['-d', 'one.example:1,[2001:db8::1]:2'],
      ['one.example:1', '[2001:db8::1]:2'],
    ],
    [
      ['-d', 'a:1', '-d', 'b:2'],
      ['a:1', 'b:2'],
    ],
    [['-d', '1', '-d', 'a:1'], ['a:1']],
    [
      ['--bootstrap', 'a:1,b:2'],
      ['a:1', 'b:2'],
    ],
    [
      ['-d', 'a:1', '--bootstrap', 'b:2'],
      ['a:1', 'b:2'],
    ],
    [['-d', 'a:1', '-d', 'true'], ['a:1']],
    [['-d', '-d', 'a:1'], ['a:1']],
    [['-d', 'a:1', '-d'], ['a:1']],
    [['-d', 'a:1', '-p', '7000'], ['a:1']],
    [
      ['--bootstrap', 'a:1', '-d', '--bootstrap', '1', '-d', 'b:2', '-d'],
      ['a:1', 'b:2'],
    ],
  ])('%j: entered by %j', (args, bootstrap) => {
    expect(options(...args)).toMatchObject({ dht: true, bootstrap });
  });

  it('has a port with -p, which means -d', () => {
    expect(options('-p', '7000')).toMatchObject({ dht: true, dhtPort: 7000 });
    expect(options('-p', '7000', '-d', 'a:1')).toMatchObject({ dhtPort: 7000, bootstrap: ['a:1'] });
  });

  it.each([
    [
      'x.torrent',
      'x.torrent is no HOST:PORT of a node to enter the DHT by; a torrent goes before -d',
    ],
    ['a:0', 'a:0 is no HOST:PORT'],
    ['a:1,b', 'b is no HOST:PORT'],
    [',', 'Name nodes as HOST:PORT, or none.'],
  ])('-d %s is wrong', (value, sentence) => {
    expect(printout('-t', 'x', '-d', value)).toMatchObject({ isError: true });
    expect(printout('-t', 'x', '-d', value).text).toContain(sentence);
  });

  it('is one of three ways to find peers that can be switched off', () => {
    expect(options()).toMatchObject({ peerExchange: true, localDiscovery: true });
    expect(options('--no-pex', '--no-lsd')).toMatchObject({
      peerExchange: false,
      localDiscovery: false,
    });
  });
});

describe('web seeds and port mapping', () => {
  it('are on unless they are switched off', () => {
    expect(options()).toMatchObject({ webSeeds: true, portMapping: true });
    expect(options('--no-web-seeds', '--no-port-map')).toMatchObject({
      webSeeds: false,
      portMapping: false,
    });
  });
});

describe('strategies', () => {
  it('are all on but bbs-plus', () => {
    expect(strategiesOf(options())).toEqual(ON);
  });

  it.each([
    ['--no-optimistic-unchoking', 'optimisticUnchoking'],
    ['--no-anti-snubbing', 'antiSnubbing'],
    ['--no-choking-strategy', 'choking'],
    ['--no-end-game-mode', 'endGame'],
    ['--no-rarest-piece-first', 'rarestFirst'],
  ])('%s switches one off', (flag, name) => {
    expect(strategiesOf(options(flag))).toEqual({ ...ON, [name]: false });
  });

  it('start from none with --plain, and the flags add', () => {
    expect(strategiesOf(options('--plain'))).toEqual(OFF);
    expect(strategiesOf(options('--plain', '-r', '-b'))).toEqual({
      ...OFF,
      rarestFirst: true,
      bbsPlus: true,
    });
    expect(strategiesOf(options('--plain', '-oaceb'))).toEqual({
      ...ON,
      rarestFirst: false,
      bbsPlus: true,
    });
  });
});

describe('values', () => {
  it('takes the torrent with or without -t', () => {
    for (const args of [
      ['-t', 'my film.torrent'],
      ['my film.torrent'],
      ['--', 'my film.torrent'],
    ]) {
      expect(parseOptions([...args], '')).toMatchObject({ torrent: 'my film.torrent' });
    }
    expect(parseOptions(['-v', 'x', '--seed'], '')).toMatchObject({ torrent: 'x', seed: true });
  });

  it('reads rates, peers and files', () => {
    const read = options(
      ...['--max-up', '4M', '--peer', '10.0.0.1:6881', '--peer', '[::1]:7'],
      ...['--files', '*.mkv,3-5', '--files', '9'],
    );
    expect(read.maxUpBytesPerSecond).toBe(4 * 2 ** 20);
    expect(read.peers).toEqual([
      { host: '10.0.0.1', port: 6881 },
      { host: '::1', port: 7 },
    ]);
    expect(read.files).toEqual(['*.mkv', '3-5', '9']);
  });

  it('gives up after three minutes without a useful peer by default, never with 0', () => {
    expect(options().timeoutMs).toBe(180_000);
    expect(options('--timeout', '0').timeoutMs).toBe(0);
  });

  it('reads times and ratios', () => {
    const read = options('--seed', '--seed-ratio', '1.5', '--seed-time', '2', '--disk-wait', '5');
    expect(read).toMatchObject({
      seed: true,
      seedRatio: 1.5,
      seedTimeMs: 120_000,
      diskWaitMs: 5_000,
    });
  });
});

describe('a magnet link', () => {
  const link = 'magnet:?xt=urn:btih:00';
  const taken = (...args: string[]) => parseOptions(args, '');

  it('goes behind -m, behind -t, or alone', () => {
    for (const args of [['-m', link], ['--magnet-link', link], ['-t', link], [link]]) {
      expect(taken(...args)).toMatchObject({ torrent: link, metadataOnly: false });
    }
  });

  it('may be pasted with spaces or line ends around it', () => {
    for (const args of [['-m', ` ${link} `], ['-t', `\t${link}`], [`${link}\n`]]) {
      expect(taken(...args)).toMatchObject({ torrent: link });
    }
    expect(taken('-t', ' my file')).toMatchObject({ torrent: ' my file' });
  });

  it('of a key is looked at again every so often, while it is seeded', () => {
    const key = `magnet:?xs=urn:btpk:${'ab'.repeat(32)}`;
    expect(taken(key, '--seed', '--update-every', '5')).toMatchObject({ updateMs: 5_000 });
    expect(taken(key)).toMatchObject({ updateMs: 600_000 });
  });

  it('is all that is wanted with --save-torrent, unless something says what else is', () => {
    const saved = ['-m', link, '--save-torrent', 'x.torrent'];
    expect(taken(...saved)).toMatchObject({ saveTorrent: 'x.torrent', metadataOnly: true });
    expect(taken(...saved, '--dir', '.')).toMatchObject({ metadataOnly: false });
    expect(taken(...saved, '--seed')).toMatchObject({ metadataOnly: false });
    expect(taken(...saved, '--force')).toMatchObject({ force: true });
  });
});

describe('wrong usage', () => {
  it.each([
    [['--max-up', 'fast', '-t', 'x'], /bytes a second/],
    [['--peer', 'nowhere', '-t', 'x'], /HOST:PORT/],
    [['--listen', '70000', '-t', 'x'], /port/],
    [['--json', '--quiet', '-t', 'x'], /cannot be used with/],
    [['--nonsense', '-t', 'x'], /unknown option '--nonsense'/i],
    [['--nonsense'], /unknown option '--nonsense'/i],
    [['--nonsense', 'x'], /unknown option '--nonsense'/i],
    [[], /Which torrent\? Give it with -t FILE or -m URI\./],
    [['-t', ''], /Which torrent\?/],
    [['a', 'b'], /One torrent at a time: a or b\?/],
    [['-t', 'a', 'b'], /One torrent at a time: a or b\?/],
    [['-t', '--check', 'a'], /Name a file/],
    [['-t', 'a', '-t', 'b'], /There is a already\./],
    [['-m', 'film.torrent'], /begins with 'magnet:\?'/],
    [['-m', 'magnet:?a', '-t', 'x'], /One torrent at a time: x or magnet:\?a\?/],
    [['-m', 'magnet:?a', '-m', 'magnet:?b'], /There is magnet:\?a already\./],
    [['-t', 'x', '--save-torrent', 'y'], /--save-torrent is for magnet links/],
    [['-m', 'magnet:?a', '--save-torrent', ''], /Name a file, or -/],
    [['-m', 'magnet:?a', '--force'], /--force is for the file of --save-torrent/],
    [['-t', 'x', '--no-dht', '-d', 'a:1'], /--no-dht and -d exclude each other/],
    [['-t', 'x', '-d', '--no-dht'], /--no-dht and -d exclude each other/],
    [['-t', 'x', '--bootstrap', 'a:1', '--no-dht'], /--no-dht and -d exclude each other/],
    [['-t', 'x', '-p', '7000', '--no-dht'], /--no-dht and -p exclude each other/],
    [['magnet:?xs=urn:btpk:00', '--update-every', '5'], /--update-every goes with --seed/],
    [['-t', 'x', '--seed', '--update-every', '5'], /--update-every goes with .* link of a key/],
    [['-m', 'a'.repeat(40)], /in quotes: 'magnet:\?xt=urn:btih:a{40}'\?/],
    [['-t', 'x', '--files', ''], /Name files/],
    [['-t', 'x', '--files', ' , '], /Name files/],
    [['-t', 'x', '--dir', ''], /Name a folder/],
    [['-t', 'x', '--max-down', '0'], /without it there is no limit/],
  ])('%j is refused in one sentence', (args, why) => {
    const { text, isError } = printout(...args);
    expect(isError).toBe(true);
    expect(text).toMatch(why);
    expect(text.trimEnd().split('\n')).toHaveLength(1);
  });
});

describe('help', () => {
  it('has examples, exit codes and the differences from the original', () => {
    const { text, isError } = printout('--help');
    expect(isError).toBe(false);
    for (const part of [
      'Examples:',
      'Exit codes:',
      'the original',
      '~/.local/state/pieces',
      '--plain',
      '-b, --bbs-plus',
    ]) {
      expect(text).toContain(part);
    }
  });

  it('tells the version', () => {
    expect(printout('--version')).toEqual({ text: '1.2.3\n', isError: false });
  });
});
