import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openSession } from '@bt/engine/node';
import { createDht, type DhtNode, nodeEd25519 } from '@bt/krpc-dht/node';
import { formatMagnet, parseMetainfo } from '@bt/metainfo';
import { createTorrent } from '@bt/metainfo/node';
import { describe, expect, it, onTestFinished } from 'vitest';
import { LOCALHOST, pieces, useTempFolder } from './harness.ts';

const folder = useTempFolder();
const seed = new Uint8Array(32).fill(3);
const publicKey = nodeEd25519.publicKey(seed);

async function network(): Promise<{ readonly hub: string; readonly publisher: DhtNode }> {
  const nodes: DhtNode[] = [];
  for (let i = 0; i < 3; i += 1) {
    const bootstrap = nodes.slice(0, 1).map(({ port }) => `${LOCALHOST}:${port}`);
    const node = await createDht({ bind: LOCALHOST, bootstrap, rateLimit: false });
    onTestFinished(() => node.close());
    nodes.push(node);
  }
  await Promise.all(nodes.map((node) => node.joined()));
  const [first, , publisher] = nodes;
  if (first === undefined || publisher === undefined) throw new Error('there are three');
  return { hub: `${LOCALHOST}:${first.port}`, publisher };
}

/** A torrent of one file with this text, and who has it. */
async function seedText(name: string): Promise<{ infoHash: Uint8Array; peer: string }> {
  const dir = join(folder.path, 'original');
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, name), `the text of ${name}`);
  const { bytes } = await createTorrent({ input: join(dir, name), threads: 1 });
  const session = await openSession({ bindAddress: LOCALHOST, resumeDir: null });
  onTestFinished(() => session.stop());
  await (await session.add(bytes, { dir })).complete;
  return { infoHash: parseMetainfo(bytes).info.infoHash, peer: `${LOCALHOST}:${session.port}` };
}

const textIn = (dir: string, name: string) => readFile(join(dir, name), 'utf8');

describe('a magnet link of a key (BEP 46)', () => {
  it('leads to the torrent that was published', async () => {
    const { hub, publisher } = await network();
    const one = await seedText('one');
    const salt = new TextEncoder().encode('news');
    await publisher.publishTorrent(seed, one.infoHash, { salt });
    const dir = join(folder.path, 'copy');
    const link = formatMagnet({ publicKey, salt });
    const args = ['-m', link, '-d', hub, '--peer', one.peer, '--dir', dir];
    const { code, out, error } = await pieces(args);
    expect({ code, error }).toEqual({ code: 0, error: '' });
    expect(out).toMatch(
      /^Key [0-9a-f]{64}: asking the DHT where it leads\nKey .* leads to [0-9a-f]{40}, its number 1\.\n/,
    );
    expect(await textIn(dir, 'one')).toBe('the text of one');
  });

  it('goes on with the next torrent while it seeds', async () => {
    const { hub, publisher } = await network();
    const [one, two] = [await seedText('one'), await seedText('two')];
    await publisher.publishTorrent(seed, one.infoHash);
    const dir = join(folder.path, 'copy');
    const abort = new AbortController();
    const peers = ['--peer', one.peer, '--peer', two.peer];
    const saved = join(folder.path, 'saved.torrent');
    const save = ['--save-torrent', saved, '--dir', dir];
    const args = ['-m', formatMagnet({ publicKey }), '-d', hub, ...peers, ...save];
    let seeding = 0;
    const { code, events, error } = await pieces(
      [...args, '--seed', '--update-every', '1', '--json'],
      {
        interrupted: abort.signal,
        onEvent: ({ event }) => {
          if (event !== 'seeding') return;
          seeding += 1;
          if (seeding === 1) void publisher.publishTorrent(seed, two.infoHash);
          else abort.abort();
        },
      },
    );
    expect({ code, error }).toEqual({ code: 0, error: '' });
    expect(parseMetainfo(await readFile(saved)).info.infoHash).toEqual(two.infoHash);
    const pointers = events.filter(({ event }) => event === 'pointer');
    expect(pointers.map(({ sequence }) => sequence)).toEqual([undefined, '1', '2']);
    expect(await textIn(dir, 'one')).toBe('the text of one');
    expect(await textIn(dir, 'two')).toBe('the text of two');
  });

  it('leads nowhere without a DHT, or when nobody knows', async () => {
    const { hub } = await network();
    const link = formatMagnet({ publicKey });
    const without = await pieces(['-m', link, '--no-dht']);
    expect(without.code).toBe(2);
    expect(without.error).toBe(
      'pieces: A link of a key leads through the DHT: leave --no-dht away.\n',
    );
    const unknown = await pieces(['-m', link, '-d', hub, '--timeout', '0.5']);
    expect(unknown.code).toBe(5);
    expect(unknown.error).toContain('Nobody in the DHT knows what the key points to, for 0.5 s;');
    const silent = await createDht({ bind: LOCALHOST });
    const nobody = `${LOCALHOST}:${silent.port}`;
    await silent.close();
    const unanswered = await pieces(['-m', link, '-d', nobody, '--timeout', '0.5']);
    expect(unanswered.code).toBe(5);
    expect(unanswered.error).toBe(
      'pieces: No node of the DHT has answered for 0.5 s: name others with -d, or wait longer with --timeout.\n',
    );
    const alone = await pieces(['-m', link, '--timeout', '0.5']);
    expect(alone.error).toMatch(
      /^Warning: there is nobody to ask in the DHT: name nodes with -d\.\n/,
    );
    const interrupted = await pieces(['-m', link, '-d', hub], { interrupted: AbortSignal.abort() });
    expect(interrupted).toMatchObject({ code: 130, error: '' });
  });
});
