// Our mktorrent beside Debian's mktorrent and libtorrent: the same info dictionary byte for byte, and every option read back by
// libtorrent and Transmission as it was given.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type BencodeDict, decodeDict } from '@bt/bencode';
import { PYTHON } from '../programs.ts';
import type { VerifyContext, VerifyLine, VerifyResult } from './line.ts';

const run = promisify(execFile);
const LIBTORRENT = fileURLToPath(
  new URL('../../../python/libtorrent_torrents.py', import.meta.url),
);
const VERSIONS = ['v1', 'v2', 'hybrid'] as const;
type Version = (typeof VERSIONS)[number];

/** Runs our mktorrent; every path given is absolute but for the default output, which lands in `cwd`. */
async function makeOurs(root: string, cwd: string, args: readonly string[]): Promise<Buffer> {
  const program = join(root, 'apps/mktorrent/dist/cli.js');
  const { stdout } = await run(process.execPath, [program, ...args], {
    cwd,
    encoding: 'buffer',
    maxBuffer: 1 << 26,
  });
  return stdout;
}

async function infoOf(path: string): Promise<Uint8Array> {
  return rawInfo(decodeDict(await readFile(path)));
}

function rawInfo(torrent: BencodeDict): Uint8Array {
  const info = torrent.rawOf('info');
  if (info === undefined) throw new Error('a torrent without info');
  return info;
}

/** Two samples: one file of an odd size, and 5,000 files with nested folders, empty files and names that sort badly. */
async function writeSamples(folder: string): Promise<{ file: string; tree: string }> {
  await mkdir(folder, { recursive: true });
  const file = join(folder, 'one file.bin');
  await writeFile(file, pseudoRandom('one', 20_000_003));
  const tree = join(folder, 'tree');
  const folders = [
    '',
    'a',
    'a-b',
    'a.b',
    'a/deep',
    'a/deep/er',
    'A',
    'b c',
    'é',
    '\u{1f600}',
    '\uff5e',
    'z_z',
  ];
  for (const name of folders) await mkdir(join(tree, name), { recursive: true });
  for (let index = 0; index < 5000; index++) {
    const place = folders[index % folders.length] ?? '';
    const name = ['file', 'File', 'f', 'füße', '-', '~'][index % 6];
    const length = index % 10 === 0 ? 0 : (index * 7919) % 60_000;
    await writeFile(join(tree, place, `${name}${index}`), pseudoRandom(`${index}`, length));
  }
  return { file, tree };
}

function pseudoRandom(key: string, lengthBytes: number): Uint8Array {
  const bytes = new Uint8Array(lengthBytes);
  let x = createHash('sha256').update(key).digest().readUInt32LE() | 1;
  for (let index = 0; index < lengthBytes; index++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    bytes[index] = x;
  }
  return bytes;
}

async function* sameInfo(context: VerifyContext): AsyncGenerator<VerifyResult> {
  const { quick, root, folder } = context;
  const { file, tree } = await writeSamples(folder);
  const theirs = join(folder, 'theirs.torrent');
  const ours = join(folder, 'ours.torrent');
  const compare = async (command: string, other: string): Promise<VerifyResult> => {
    const [a, b] = [await infoOf(ours), await infoOf(theirs)];
    const pass = Buffer.compare(a, b) === 0;
    const figure = pass
      ? `${a.length} bytes of info equal to ${other}'s`
      : `${a.length} bytes of info differ from ${other}'s ${b.length}`;
    return { command, figure, pass };
  };
  for (const [what, input] of Object.entries({ 'one file': file, 'a tree of 5,000 files': tree })) {
    for (const exponent of quick ? [16] : [15, 18, 20, 24]) {
      await run('rm', ['-f', theirs]);
      await run('mktorrent', ['-l', `${exponent}`, '-a', 'http://t/', '-o', theirs, input]);
      await makeOurs(root, folder, ['-l', `${exponent}`, '-f', input, '-p', ours, '--force']);
      yield await compare(`mktorrent -l ${exponent} of ${what}`, 'Debian mktorrent');
    }
    for (const version of ['v2', 'hybrid'] as const) {
      for (const exponent of quick ? [16] : [14, 16, 18, 20]) {
        await run(PYTHON, [LIBTORRENT, 'make', version, `${2 ** exponent}`, input, theirs]);
        await makeOurs(root, folder, [
          `--${version}`,
          '-l',
          `${exponent}`,
          '-f',
          input,
          '-p',
          ours,
          '--force',
        ]);
        const result = await compare(
          `mktorrent --${version} -l ${exponent} of ${what}`,
          'libtorrent',
        );
        const [a, b] = [await layersOf(ours), await layersOf(theirs)];
        const sameLayers = a === b;
        yield sameLayers ? result : { ...result, figure: 'piece layers differ', pass: false };
      }
    }
  }
}

async function layersOf(path: string): Promise<string> {
  const layers = decodeDict(await readFile(path)).rawOf('piece layers');
  return Buffer.from(layers ?? []).toString('hex');
}

/** What libtorrent understands of a .torrent; see the Python file. */
interface Understood {
  readonly name: string;
  readonly comment: string;
  readonly created: number | null;
  readonly trackers: readonly [string, number][];
  readonly pieceLength: number;
  readonly infoHashV1: string | null;
  readonly infoHashV2: string | null;
  readonly bytes: number;
}

/** One way to call the program, and what must come out. */
interface Combination {
  readonly args: readonly string[];
  readonly version: Version;
  readonly output: string;
  readonly isPiped: boolean;
  readonly expected: Omit<Understood, 'infoHashV1' | 'infoHashV2' | 'created'> & {
    readonly hasDate: boolean;
  };
}

const TRACKERS: readonly (readonly (readonly string[])[])[] = [
  [['http://one.example/announce']],
  [['http://one.example/announce', 'udp://two.example:6969']],
  [['http://one.example/announce', 'udp://two.example:6969'], ['https://three.example/x?y=1']],
];
const PIECE_LENGTHS = [
  ['18', 2 ** 18],
  ['65536', 65_536],
  ['512K', 2 ** 19],
  ['15', 2 ** 15],
] as const;

/** Every subset of -a -c -w -l -n -p for each version, with the values taking turns. */
function combinations(
  folder: string,
  input: string,
  inputBytes: number,
  quick: boolean,
): Combination[] {
  const all: Combination[] = [];
  for (const version of VERSIONS) {
    for (let bits = 0; bits < 64; bits++) {
      if (quick && bits % 9 !== 0) continue;
      const has = (bit: number) => (bits & (1 << bit)) !== 0;
      const cwd = join(folder, `${version}-${bits}`);
      const tiers = has(0) ? (TRACKERS[bits % 3] ?? []) : [];
      const comment = has(1) ? `comment ${bits} é` : '';
      const [lengthText, pieceLength] = PIECE_LENGTHS[bits % 4] ?? PIECE_LENGTHS[0];
      const name = has(4) ? `name ${bits}` : 'sample';
      const isPiped = has(5) && bits % 2 === 0;
      const output = has(5) ? join(cwd, 'chosen.torrent') : join(cwd, `${name}.torrent`);
      all.push({
        version,
        output,
        isPiped,
        args: [
          '-f',
          input,
          ...(version === 'v1' ? [] : [`--${version}`]),
          ...tiers.flatMap((tier) => ['-a', tier.join(',')]),
          ...(has(1) ? ['-c', comment] : []),
          ...(has(2) ? (bits % 3 === 0 ? ['-w', '1'] : ['-w']) : []),
          ...(has(3) ? ['-l', lengthText] : []),
          ...(has(4) ? ['-n', name] : []),
          ...(has(5) ? ['-p', isPiped ? '-' : output] : []),
        ],
        expected: {
          name,
          comment,
          trackers: tiers.flatMap((tier, index) =>
            tier.map((url): [string, number] => [url, index]),
          ),
          pieceLength: has(3) ? pieceLength : 16_384,
          bytes: inputBytes,
          hasDate: !has(2),
        },
      });
    }
  }
  return all;
}

async function* readBack(context: VerifyContext): AsyncGenerator<VerifyResult> {
  const { quick, root, folder } = context;
  const input = join(folder, 'sample');
  await mkdir(join(input, 'sub'), { recursive: true });
  await writeFile(join(input, 'a'), pseudoRandom('a', 300_000));
  await writeFile(join(input, 'sub/b'), pseudoRandom('b', 7));
  await writeFile(join(input, 'sub/empty'), '');
  const all = combinations(folder, input, 300_007, quick);
  for (const { output, args, isPiped } of all) {
    await mkdir(dirname(output), { recursive: true });
    const stdout = await makeOurs(root, dirname(output), args);
    if (isPiped) await writeFile(output, stdout);
  }
  const { stdout } = await run(PYTHON, [LIBTORRENT, 'read', ...all.map(({ output }) => output)]);
  const understood = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Understood);
  const hybridObstacle = await transmissionHybridObstacle(folder, input);
  for (const version of VERSIONS) {
    const wrong: string[] = [];
    let count = 0;
    for (const [index, combination] of all.entries()) {
      if (combination.version !== version) continue;
      count++;
      const problem =
        (await difference(combination, understood[index])) ??
        (version === 'v1' || (version === 'hybrid' && hybridObstacle === undefined)
          ? await transmissionDifference(combination, understood[index])
          : undefined);
      if (problem !== undefined) wrong.push(`${combination.args.join(' ')}: ${problem}`);
    }
    const readers =
      version === 'v1' || (version === 'hybrid' && hybridObstacle === undefined)
        ? 'libtorrent and transmission-show'
        : 'libtorrent';
    const note = version === 'hybrid' && hybridObstacle !== undefined ? ` (${hybridObstacle})` : '';
    yield {
      command: `${count} combinations of -a -c -w -l -n -p, ${version}`,
      figure: wrong[0] ?? `all read back by ${readers}${note}`,
      pass: wrong.length === 0,
    };
  }
}

async function difference(
  { expected, version, output }: Combination,
  seen: Understood | undefined,
): Promise<string | undefined> {
  if (seen === undefined) return 'libtorrent read nothing';
  for (const field of ['name', 'comment', 'pieceLength', 'bytes'] as const) {
    if (seen[field] !== expected[field])
      return `${field} is ${seen[field]}, not ${expected[field]}`;
  }
  // Within a tier clients are free in the order (BEP 12), and libtorrent shuffles.
  const sorted = (trackers: Understood['trackers']) =>
    trackers
      .map(([url, tier]) => `${tier} ${url}`)
      .sort()
      .join();
  if (sorted(seen.trackers) !== sorted(expected.trackers))
    return `trackers are ${sorted(seen.trackers)}`;
  if ((seen.created !== null) !== expected.hasDate) return `creation date is ${seen.created}`;
  if (seen.created !== null && Math.abs(seen.created - Date.now() / 1000) > 600)
    return 'creation date is not now';
  const info = await infoOf(output);
  const hash = (algorithm: string) => createHash(algorithm).update(info).digest('hex');
  if (seen.infoHashV1 !== (version === 'v2' ? null : hash('sha1'))) return 'another v1 info-hash';
  if (seen.infoHashV2 !== (version === 'v1' ? null : hash('sha256'))) return 'another v2 info-hash';
  return undefined;
}

async function transmissionDifference(
  { expected, output }: Combination,
  seen: Understood | undefined,
): Promise<string | undefined> {
  const { stdout } = await run('transmission-show', [output]);
  const field = (label: string) => new RegExp(`^ {2}${label}: (.*)$`, 'm').exec(stdout)?.[1] ?? '';
  const tierOfLine = [...stdout.matchAll(/^ {2}Tier #(\d+)\n((?: {2}\S+\n)+)/gm)].flatMap(
    ([, tier, urls = '']) =>
      urls
        .trim()
        .split(/\s+/)
        .map((url) => `${Number(tier) - 1} ${url}`),
  );
  const trackers = expected.trackers.map(([url, tier]) => `${tier} ${url}`);
  const size =
    expected.pieceLength >= 2 ** 20
      ? `${(expected.pieceLength / 2 ** 20).toFixed(2)} MiB`
      : `${(expected.pieceLength / 1024).toFixed(expected.pieceLength < 102_400 ? 2 : 1)} KiB`;
  const pairs: [string, string, string][] = [
    ['Name', field('Name'), expected.name],
    ['Hash', field('Hash'), seen?.infoHashV1 ?? ''],
    ['Comment', field('Comment'), expected.comment],
    ['Piece Size', field('Piece Size'), size],
    ['trackers', tierOfLine.sort().join(), trackers.sort().join()],
    [
      'date',
      `${field('Created on') !== '' && field('Created on') !== 'Unknown'}`,
      `${expected.hasDate}`,
    ],
  ];
  const wrong = pairs.find(([, got, wanted]) => got !== wanted);
  return wrong && `transmission-show: ${wrong[0]} is ${wrong[1]}, not ${wrong[2]}`;
}

/** Transmission 3.00 fails at the empty key that every v2 file tree has; then it can't read anybody's hybrid torrents. */
async function transmissionHybridObstacle(
  folder: string,
  input: string,
): Promise<string | undefined> {
  const path = join(folder, 'libtorrent-hybrid.torrent');
  await run(PYTHON, [LIBTORRENT, 'make', 'hybrid', '65536', input, path]);
  try {
    await run('transmission-show', [path]);
    return undefined;
  } catch {
    return "this transmission-show reads no hybrid torrent, libtorrent's neither";
  }
}

export const mktorrentLine: VerifyLine = {
  name: 'mktorrent',
  title:
    "info dictionaries equal to Debian mktorrent's and libtorrent's, options read back by others",
  needs: ['mktorrent', 'python3-libtorrent', 'transmission-show'],
  async *run(context: VerifyContext): AsyncGenerator<VerifyResult> {
    yield* sameInfo({ ...context, folder: join(context.folder, 'same') });
    yield* readBack({ ...context, folder: join(context.folder, 'back') });
  },
} as const;
