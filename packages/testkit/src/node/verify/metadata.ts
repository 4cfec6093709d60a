// The info dictionary alone (BEP 9): ours from every client and every client's from us, byte for byte; and from among liars.
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseMetainfo } from '@bt/metainfo';
import { TrackerServer } from '@bt/tracker/node';
import { Child } from '../child.ts';
import { type MetadataManners, ScriptedPeer } from '../hostile/scripted-peer.ts';
import { labAddress } from '../namespace.ts';
import { aria2 } from '../peers/aria2.ts';
import { libtorrent } from '../peers/libtorrent.ts';
import type { PeerProgram, TransferOptions } from '../peers/peer-program.ts';
import { PIECES_CLI, pieces } from '../peers/pieces.ts';
import { transmission } from '../peers/transmission.ts';
import { sampleTree, writeSampleTree } from '../sample-tree.ts';
import { readTorrent } from '../torrent-info.ts';
import type { VerifyContext, VerifyLine, VerifyResult } from './line.ts';
import { magnetOf, makeTorrent } from './made-torrent.ts';

const PEER_PORT = 6881;
const LIMIT_MS = 60_000;
/** What a liar may cost. */
const LIAR_MS = 5_000;
/** Enough files for an info dictionary of several metadata pieces. */
const FILES = 2_000;

async function* metadata(context: VerifyContext): AsyncGenerator<VerifyResult> {
  const { folder, quick } = context;
  await writeSampleTree(join(folder, 'tree'), sampleTree(FILES, 4_000_000), 9);
  const tracker = new TrackerServer();
  await tracker.listen({ host: labAddress(1) });
  try {
    for (const other of [libtorrent, transmission, aria2]) {
      yield await fromOther(context, tracker, other);
      yield await fromUs(context, tracker, other);
    }
    if (!quick) {
      for (const format of ['--v2', '--hybrid']) yield await layers(context, tracker, format);
    }
    yield* liars(context);
  } finally {
    await tracker.close();
  }
}

let lastAddress = 1;

function place(context: VerifyContext, name: string): Omit<TransferOptions, 'torrent'> {
  lastAddress = (lastAddress % 60) + 1;
  const n = lastAddress + 1;
  return {
    folder: context.folder,
    stateFolder: join(context.folder, `${name}-${n}`),
    address: labAddress(n),
    port: PEER_PORT,
  };
}

/** `pieces -m URI --save-torrent FILE`, and what it took. */
async function saveTorrent(
  context: VerifyContext,
  magnet: string,
  output: string,
  peers: readonly string[] = [],
): Promise<{ readonly code: number | null; readonly seconds: number; readonly said: string }> {
  const own = place(context, 'pieces');
  const begin = performance.now();
  const child = new Child(
    'pieces',
    process.execPath,
    [
      PIECES_CLI,
      ...['-m', magnet, '--save-torrent', output, '--bind', own.address, '--json', '--no-dht'],
      ...peers.flatMap((peer) => ['--peer', peer]),
    ],
    { env: { XDG_STATE_HOME: own.stateFolder } },
  );
  const { code } = await child.waitForExit(LIMIT_MS);
  return { code, seconds: (performance.now() - begin) / 1000, said: child.output.slice(-500) };
}

async function sameInfo(a: string, b: string): Promise<boolean> {
  const [first, second] = await Promise.all([readTorrent(a), readTorrent(b)]);
  return Buffer.compare(first.info.bytes, second.info.bytes) === 0;
}

async function fromOther(
  context: VerifyContext,
  tracker: TrackerServer,
  other: PeerProgram,
): Promise<VerifyResult> {
  const command = `pieces -m URI --save-torrent FILE, ${other.name} seeds`;
  const torrentFile = join(context.folder, `from-${other.name}.torrent`);
  const saved = join(context.folder, `from-${other.name}-saved.torrent`);
  await makeTorrent(context, join(context.folder, 'tree'), torrentFile, ['-a', tracker.url]);
  const seed = await other.seed({ ...place(context, other.name), torrent: torrentFile });
  try {
    await seed.ready(LIMIT_MS);
    const magnet = await magnetOf(torrentFile, { trackers: [tracker.url] });
    const { code, seconds, said } = await saveTorrent(context, magnet, saved);
    if (code !== 0) return { command, figure: `exit ${code}: ${said}`, pass: false };
    const pass = await sameInfo(torrentFile, saved);
    return {
      command,
      figure: `${pass ? 'the same' : 'another'} info dictionary after ${seconds.toFixed(1)} s`,
      pass,
    };
  } catch (error) {
    return { command, figure: String(error), pass: false };
  } finally {
    await seed.stop();
  }
}

async function fromUs(
  context: VerifyContext,
  tracker: TrackerServer,
  other: PeerProgram,
): Promise<VerifyResult> {
  const command = `${other.name} gets the metadata from pieces --seed`;
  const torrentFile = join(context.folder, `to-${other.name}.torrent`);
  await makeTorrent(context, join(context.folder, 'tree'), torrentFile, ['-a', tracker.url]);
  const seed = await pieces.seed({ ...place(context, 'pieces'), torrent: torrentFile });
  const own = place(context, other.name);
  const into = join(own.stateFolder, 'downloads');
  await mkdir(into, { recursive: true });
  try {
    await seed.ready(LIMIT_MS);
    const begin = performance.now();
    const copy = await other.download({
      ...own,
      folder: into,
      torrent: await magnetOf(torrentFile, { trackers: [tracker.url] }),
    });
    try {
      // All of them begin to download at once: what is there when they are done was checked against the info dictionary.
      await copy.complete(LIMIT_MS);
      const seconds = (performance.now() - begin) / 1000;
      return { command, figure: `has it, and the data, after ${seconds.toFixed(1)} s`, pass: true };
    } finally {
      await copy.stop();
    }
  } catch (error) {
    return { command, figure: String(error), pass: false };
  } finally {
    await seed.stop();
  }
}

/** A v2 or hybrid link: the piece layers too, and libtorrent loads the result. */
async function layers(
  context: VerifyContext,
  tracker: TrackerServer,
  format: string,
): Promise<VerifyResult> {
  const command = `pieces -m URI --save-torrent FILE of a ${format.slice(2)} link, libtorrent seeds`;
  const torrentFile = join(context.folder, `layers${format}.torrent`);
  const saved = join(context.folder, `layers${format}-saved.torrent`);
  await makeTorrent(context, join(context.folder, 'tree'), torrentFile, [
    ...['-a', tracker.url, '-l', '16K', format],
  ]);
  const seed = await libtorrent.seed({ ...place(context, 'libtorrent'), torrent: torrentFile });
  try {
    await seed.ready(LIMIT_MS);
    const magnet = await magnetOf(torrentFile, { trackers: [tracker.url] });
    const { code, said } = await saveTorrent(context, magnet, saved);
    if (code !== 0) return { command, figure: `exit ${code}: ${said}`, pass: false };
    const [wanted, found] = await Promise.all([readTorrent(torrentFile), readTorrent(saved)]);
    const same = await sameInfo(torrentFile, saved);
    const all = [...wanted.pieceLayers].every(
      ([root, layer]) =>
        Buffer.compare(layer, found.pieceLayers.get(root) ?? Buffer.alloc(0)) === 0,
    );
    const loaded = await libtorrentLoads(context, saved);
    return {
      command,
      figure: `${same ? 'the same' : 'another'} info dictionary, ${found.pieceLayers.size} of ${wanted.pieceLayers.size} piece layers, libtorrent ${loaded ? 'loads and finds all of' : 'does not take'} it`,
      pass: same && all && loaded,
    };
  } catch (error) {
    return { command, figure: String(error), pass: false };
  } finally {
    await seed.stop();
  }
}

async function libtorrentLoads(context: VerifyContext, torrentFile: string): Promise<boolean> {
  // Not told that it is a seed: it hashes what is there by the hashes of the file.
  const peer = await libtorrent.download({ ...place(context, 'libtorrent'), torrent: torrentFile });
  try {
    await peer.complete(LIMIT_MS);
    return true;
  } catch {
    return false;
  } finally {
    await peer.stop();
  }
}

async function* liars(context: VerifyContext): AsyncGenerator<VerifyResult> {
  const torrentFile = join(context.folder, 'liars.torrent');
  await makeTorrent(context, join(context.folder, 'tree'), torrentFile);
  const torrent = parseMetainfo(await readFile(torrentFile));
  const magnet = await magnetOf(torrentFile);
  const peer = async (metadata: MetadataManners) => {
    const { address, port } = place(context, 'liar');
    const scripted = new ScriptedPeer({ address, port, torrent, metadata });
    await scripted.listen();
    return { scripted, endpoint: `${address}:${port}` };
  };
  const timed = async (manners: readonly MetadataManners[]) => {
    const made = await Promise.all(manners.map(peer));
    const output = join(context.folder, `${manners.join('-')}.torrent`);
    try {
      const result = await saveTorrent(
        context,
        magnet,
        output,
        made.map(({ endpoint }) => endpoint),
      );
      return { ...result, pass: result.code === 0 && (await sameInfo(torrentFile, output)) };
    } finally {
      await Promise.all(made.map(({ scripted }) => scripted.close()));
    }
  };
  const honest = await timed(['honest']);
  for (const manners of ['wrong-bytes', 'wrong-size', 'silent', 'reject'] as const) {
    const seen = await timed([manners, manners, 'honest']);
    const costMs = (seen.seconds - honest.seconds) * 1000;
    yield {
      command: `metadata from two liars (${manners}) and one honest peer`,
      figure: `${seen.pass ? 'right' : `exit ${seen.code}: ${seen.said}`}; the liars cost ${(costMs / 1000).toFixed(2)} s of ${LIAR_MS / 1000} s`,
      pass: seen.pass && costMs < LIAR_MS,
    };
  }
}

export const metadataLine: VerifyLine = {
  name: 'metadata',
  title: 'metadata from and to every client, and from among liars',
  needs: ['python3-libtorrent', 'transmission-daemon', 'transmission-remote', 'aria2c'],
  run: metadata,
};
