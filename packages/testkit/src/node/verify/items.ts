// Items in the DHT (BEP 44): put by libtorrent and got by us, and the other way round; mutable ones updated with `cas`; and a magnet
// link that follows a publisher (BEP 46).
import { execFile } from 'node:child_process';
import { createHash, createPrivateKey, createPublicKey } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { labAddress } from '../namespace.ts';
import { DHT_PORT, type MixedDht, startMixedDht } from '../peers/dht-nodes.ts';
import { PIECES_CLI, pieces, startPieces } from '../peers/pieces.ts';
import { treeDifference, writeSampleTree } from '../sample-tree.ts';
import type { VerifyContext, VerifyLine, VerifyResult } from './line.ts';
import { makeTorrent } from './made-torrent.ts';

const run = promisify(execFile);
const SALT = 'verify';

async function* items(context: VerifyContext): AsyncGenerator<VerifyResult> {
  const dht = await startMixedDht({
    folder: join(context.folder, 'dht'),
    count: 6,
    makers: ['libtorrent', 'pieces'],
  });
  try {
    await dht.settled(10, 60_000);
    const dhtCommand = commandOn(context, dht);
    yield* immutable(dht, dhtCommand);
    yield* mutable(context, dht, dhtCommand);
    yield await published(context, dht);
  } finally {
    await dht.stop();
  }
}

type DhtCommand = (...args: readonly string[]) => Promise<{ code: number; out: string }>;

/** `pieces dht ARGS` on this DHT: exit code and what it printed. */
function commandOn(context: VerifyContext, dht: MixedDht): DhtCommand {
  return async (...args) =>
    await outcome(
      [
        PIECES_CLI,
        'dht',
        ...args,
        ...['--bind', labAddress(50), '--bootstrap', dht.nodes.pieces.slice(0, 3).join(',')],
        '--json',
      ],
      join(context.folder, 'state'),
    );
}

async function outcome(
  args: readonly string[],
  stateFolder: string,
): Promise<{ code: number; out: string }> {
  try {
    const env = { ...process.env, XDG_STATE_HOME: stateFolder };
    const { stdout } = await run(process.execPath, [...args], { env, timeout: 60_000 });
    return { code: 0, out: stdout };
  } catch (error) {
    const { code, stdout, stderr } = error as { code?: number; stdout?: string; stderr?: string };
    return { code: code ?? 1, out: `${stdout ?? ''}${stderr ?? ''}` };
  }
}

async function* immutable(dht: MixedDht, command: DhtCommand): AsyncGenerator<VerifyResult> {
  const put = await dht.askLibtorrent({ put: 'from libtorrent' });
  const got = await command('get', String(put.target));
  yield {
    command: 'pieces dht get TARGET of what libtorrent put',
    figure: got.out.trim(),
    pass: got.code === 0 && got.out.includes('from libtorrent'),
  };
  const text = 'from pieces';
  const target = createHash('sha1').update(`${text.length}:${text}`).digest('hex');
  const ours = await command('put', text);
  const theirs = await dht.askLibtorrent({ get: target });
  yield {
    command: 'pieces dht put TEXT, got by libtorrent',
    figure: `${ours.out.trim()}; libtorrent has ${JSON.stringify(theirs.value)}`,
    pass: ours.code === 0 && theirs.value === text,
  };
}

async function* mutable(
  context: VerifyContext,
  dht: MixedDht,
  command: DhtCommand,
): AsyncGenerator<VerifyResult> {
  const seed = createHash('sha256').update('verify items').digest();
  const keys = keyPair(seed);
  const keyFile = join(context.folder, 'key');
  await writeFile(keyFile, `${seed.toString('hex')}\n`);
  await dht.askLibtorrent({
    put: 'version 1',
    private: keys.expanded,
    public: keys.publicKey,
    salt: SALT,
  });
  const first = await command('get', keys.publicKey, '--salt', SALT);
  yield {
    command: 'pieces dht get KEY --salt of what libtorrent put',
    figure: first.out.trim(),
    pass: first.code === 0 && first.out.includes('version 1'),
  };
  const update = (text: string, sequence: number, compare: number) =>
    command(
      ...['put', text, '--key', keyFile, '--salt', SALT],
      ...['--seq', `${sequence}`, '--cas', `${compare}`],
    );
  const second = await update('version 2', 2, 1);
  const seen = await dht.askLibtorrent({ get: keys.publicKey, salt: SALT });
  yield {
    command: 'pieces dht put --key FILE --seq 2 --cas 1, got by libtorrent',
    figure: `${second.out.trim()}; libtorrent has ${JSON.stringify(seen)}`,
    pass: second.code === 0 && seen.value === 'version 2' && seen.seq === 2,
  };
  const late = await update('version 3', 3, 1);
  const kept = await command('get', keys.publicKey, '--salt', SALT);
  yield {
    command: 'pieces dht put --seq 3 --cas 1 when the DHT holds 2',
    figure: `exit ${late.code}: ${late.out.trim().slice(0, 300)}; then ${kept.out.trim()}`,
    pass: late.code !== 0 && kept.out.includes('version 2'),
  };
}

/** Two versions of a torrent under one key: the link finds the second once it is published. */
async function published(context: VerifyContext, dht: MixedDht): Promise<VerifyResult> {
  const { folder } = context;
  const command =
    'mktorrent publish --key FILE X.torrent, pieces -m magnet:?xs=urn:btpk:KEY, twice';
  const seed = createHash('sha256').update('verify publisher').digest();
  const keyFile = join(folder, 'publisher-key');
  await writeFile(keyFile, `${seed.toString('hex')}\n`);
  const link = `magnet:?xs=urn:btpk:${keyPair(seed).publicKey}`;
  const figures: string[] = [];
  let pass = true;
  for (const version of [1, 2]) {
    const tree = join(folder, `version-${version}`);
    const torrentFile = `${tree}.torrent`;
    await writeSampleTree(tree, [{ path: 'text.bin', lengthBytes: 300_000 }], version);
    await makeTorrent(context, tree, torrentFile);
    const put = await outcome(
      [
        join(context.root, 'apps/mktorrent/dist/cli.js'),
        ...['publish', '--key', keyFile, torrentFile, '-d', dht.nodes.pieces.slice(0, 3).join(',')],
        ...['--bind', labAddress(51)],
      ],
      join(folder, 'state'),
    );
    const source = await pieces.seed({
      folder,
      torrent: torrentFile,
      stateFolder: join(folder, 'seed-state'),
      address: labAddress(52),
      port: DHT_PORT,
      dht: dht.nodes.pieces.slice(0, 2),
    });
    const into = join(folder, `copy-${version}`);
    await mkdir(into);
    try {
      await source.ready(30_000);
      const copy = startPieces({
        folder: into,
        torrent: link,
        stateFolder: join(folder, 'copy-state'),
        address: labAddress(53),
        port: DHT_PORT,
        dht: dht.nodes.pieces.slice(2, 4),
      });
      const { code } = await copy.child.waitForExit(120_000);
      const difference = await treeDifference(tree, join(into, `version-${version}`)).catch(String);
      pass &&= put.code === 0 && code === 0 && difference === undefined;
      figures.push(
        `version ${version}: publish exit ${put.code}${put.code === 0 ? '' : ` (${put.out.slice(0, 200)})`}, download exit ${code}, ${difference ?? 'all bytes equal'}`,
      );
    } finally {
      await source.stop();
    }
  }
  return { command, figure: figures.join('; '), pass };
}

/** An ed25519 key pair by its seed (RFC 8032 section 5.1.5), the private part also as libtorrent wants it. */
function keyPair(seed: Buffer): { readonly publicKey: string; readonly expanded: string } {
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  const expanded = createHash('sha512').update(seed).digest();
  expanded[0] = (expanded[0] ?? 0) & 248;
  expanded[31] = ((expanded[31] ?? 0) & 63) | 64;
  return { publicKey: spki.subarray(-32).toString('hex'), expanded: expanded.toString('hex') };
}

export const itemsLine: VerifyLine = {
  name: 'items',
  title: 'BEP 44 items to and from libtorrent, and a magnet link that follows updates (BEP 46)',
  needs: ['python3-libtorrent'],
  run: items,
};
