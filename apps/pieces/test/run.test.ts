import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openSession } from '@bt/engine/node';
import { TrackerServer } from '@bt/tracker/node';
import { describe, expect, it, onTestFinished } from 'vitest';
import { KiB, LOCALHOST, pieces, type Shared, seed, share, useTempFolder } from './harness.ts';

const folder = useTempFolder();
const TREE = { 'a.bin': 100_000, 'sub/b.bin': 50_001, 'sub/empty': 0, 'c.txt': 7 };

async function expectSame(dir: string, { originals }: Shared): Promise<void> {
  for (const [name, bytes] of originals) {
    const copy = await readFile(join(dir, 'tree', name));
    expect(Buffer.compare(copy, bytes), name).toBe(0);
  }
}

function download(shared: Shared, ...args: string[]): string[] {
  return ['-t', shared.file, '--dir', join(folder.path, 'copy'), ...args];
}

describe('a download', () => {
  it('ends with 0 when every byte is there and right', async () => {
    const shared = await share(folder.path, TREE);
    const { peer } = await seed(shared);
    const { code, out, error } = await pieces(download(shared, ...peer));
    expect({ code, error }).toEqual({ code: 0, error: '' });
    await expectSame(join(folder.path, 'copy'), shared);
    expect(out).toMatch(/^tree: 146.5 KiB in 4 files, 10 pieces\n/);
    expect(out).toMatch(/\nDone: 146.5 KiB of 146.5 KiB \(100%\) after \d+ s\n/);
    expect(out).toMatch(
      /\nReceived 146.5 KiB at .*\/s on average, 0 B twice, 0 B wrong; sent 0 B, ratio 0.00; 1 peer\n$/,
    );
  });

  it.each(['v2', 'hybrid'] as const)('works for %s', async (version) => {
    const shared = await share(folder.path, TREE, { version });
    const { peer } = await seed(shared);
    expect(await pieces(download(shared, ...peer, '--quiet'))).toMatchObject({ code: 0 });
    await expectSame(join(folder.path, 'copy'), shared);
  });

  it('says nothing with --quiet', async () => {
    const shared = await share(folder.path, TREE);
    const { peer } = await seed(shared);
    const said = await pieces(download(shared, ...peer, '--quiet'));
    expect(said).toMatchObject({ code: 0, out: '', error: '' });
  });

  it('finds its peers through a tracker, and with -v tells of both', async () => {
    const tracker = new TrackerServer();
    await tracker.listen({ host: LOCALHOST });
    onTestFinished(() => tracker.close());
    const shared = await share(folder.path, TREE, { announceTiers: [[tracker.url]] });
    const session = await openSession({ bindAddress: LOCALHOST, resumeDir: null });
    onTestFinished(() => session.stop());
    const handle = await session.add(shared.bytes, { dir: shared.dir });
    for await (const event of handle.events()) if (event.type === 'tracker') break;
    const { code, out, error } = await pieces(download(shared, '-v'));
    expect({ code, error }).toEqual({ code: 0, error: '' });
    expect(out).toContain(`Tracker ${new URL(tracker.url).origin}: 1 peer\n`);
    expect(out).toMatch(
      new RegExp(`\nPeer 127.0.0.1 port ${session.port} \\(bt-engine .*\\), found by a tracker\n`),
    );
  });

  it('has nothing to do when all is there', async () => {
    const shared = await share(folder.path, TREE);
    const { code, out } = await pieces(['-t', shared.file, '--dir', shared.dir]);
    expect(code).toBe(0);
    expect(out).toContain('\n10 of 10 pieces are here already.\n');
  });

  it('gets the files that globs and indices name, and no others', async () => {
    const shared = await share(folder.path, { one: 40_000, 'two.txt': 40_000, three: 40_000 });
    const { peer } = await seed(shared);
    const said = await pieces(download(shared, ...peer, '--files', '*.txt,0', '--json'));
    expect(said.code).toBe(0);
    const names = ['one', 'three', 'two.txt'];
    const wanted = new Set([names[0], 'two.txt']);
    const got = said.events.filter(({ event }) => event === 'file');
    expect(new Set(got.map(({ fileIndex }) => names[Number(fileIndex)]))).toEqual(wanted);
    const copy = await readFile(join(folder.path, 'copy', 'tree', 'two.txt'));
    expect(Buffer.compare(copy, shared.originals.get('two.txt') as Buffer)).toBe(0);
    expect(Number(said.events.at(-1)?.downloadedBytes)).toBeLessThan(120_000);
  });
});

describe('--check', () => {
  it('ends with 0 when whole, and leaves the folder as it is', async () => {
    const shared = await share(folder.path, TREE);
    const before = await readdir(join(shared.dir, 'tree'));
    const { code, out } = await pieces(['-t', shared.file, '--dir', shared.dir, '--check']);
    expect(code).toBe(0);
    expect(out).toMatch(/\n100% is right \(10 of 10 pieces\)\.\n$/);
    expect(await readdir(join(shared.dir, 'tree'))).toEqual(before);
  });

  it('ends with 1 and the share when a byte is wrong', async () => {
    const shared = await share(folder.path, { only: 64 * KiB });
    const path = join(shared.dir, 'tree', 'only');
    const bytes = await readFile(path);
    bytes[20_000]! ^= 1;
    await writeFile(path, bytes);
    const said = await pieces(['-t', shared.file, '--dir', shared.dir, '--check', '--json']);
    expect(said.code).toBe(1);
    expect(said.events.at(-1)).toEqual({
      event: 'checked',
      share: 0.75,
      verifiedBytes: 48 * KiB,
      wantedBytes: 64 * KiB,
      piecesHave: 3,
      pieceCount: 4,
      incompleteFiles: [{ fileIndex: 0, path: 'tree/only', pieceCount: 4, piecesHave: 3 }],
    });
    const text = await pieces(['-t', shared.file, '--dir', shared.dir, '--check']);
    expect(text.out).toContain('\ntree/only: 3 of 4 pieces right\n75.0% is right');
  });

  it('says so with 4 when the folder is not there, and does not make it', async () => {
    const shared = await share(folder.path, TREE);
    const { code, error } = await pieces(download(shared, '--check'));
    expect(code).toBe(4);
    expect(error).toBe(`pieces: The folder ${join(folder.path, 'copy')} does not exist.\n`);
    await expect(readdir(join(folder.path, 'copy'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it.each(['v1', 'v2', 'hybrid'] as const)(
    'counts the pieces of the wanted files alone, in %s',
    async (version) => {
      const lengths = { one: 40 * KiB, two: 64 * KiB, small: 1 };
      const shared = await share(folder.path, lengths, { version });
      await writeFile(join(shared.dir, 'tree', 'two'), 'no');
      const check = ['-t', shared.file, '--dir', shared.dir, '--check'];
      const right = await pieces([...check, '--files', 'one,small', '-v']);
      const { error, code, out } = right;
      // Without padding the files share a piece.
      const expected = version === 'v1' ? [1, '2 of 3', '0 of 5'] : [0, '4 of 4', '0 of 4'];
      expect({ error, code }).toEqual({ error: '', code: expected[0] });
      expect(out).toContain(`% is right (${expected[1]} pieces).\n`);
      expect(out).toMatch(/^tree: 104\.0 KiB in 3 files, \d pieces\nInfo-hash [0-9a-f]{40}\n/);
      const wrong = await pieces([...check, '--files', 'two', '--json']);
      expect(wrong.code).toBe(1);
      expect(wrong.events[0]).toMatchObject({ totalBytes: 104 * KiB + 1, fileCount: 3 });
      const checked = wrong.events.at(-1);
      expect(`${checked?.piecesHave} of ${checked?.pieceCount}`).toBe(expected[2]);
      const whole = await pieces([...check, '--json']);
      expect(whole.events.at(-1)?.wantedBytes).toBe(104 * KiB + 1);
    },
  );

  it('looks at the files that are wanted only', async () => {
    const shared = await share(folder.path, { one: 32 * KiB, two: 32 * KiB });
    await writeFile(join(shared.dir, 'tree', 'two'), 'no');
    const check = ['-t', shared.file, '--dir', shared.dir, '--check', '--quiet'];
    expect((await pieces([...check, '--files', 'one'])).code).toBe(0);
    expect((await pieces([...check, '--files', 'two'])).code).toBe(1);
  });

  it('is interrupted with 130', async () => {
    const shared = await share(folder.path, TREE);
    const interrupted = AbortSignal.abort();
    expect(
      await pieces(['-t', shared.file, '--dir', shared.dir, '--check'], { interrupted }),
    ).toMatchObject({ code: 130, error: '' });
  });
});

describe('--seed', () => {
  it('serves until the ratio is reached', async () => {
    const shared = await share(folder.path, TREE);
    const leecher = await openSession({ bindAddress: LOCALHOST, resumeDir: null });
    onTestFinished(() => leecher.stop());
    const dir = join(folder.path, 'copy');
    const leech = await leecher.add(shared.bytes, { dir });
    let port = 0;
    const { code, events } = await pieces(
      ['-t', shared.file, '--dir', shared.dir, '--seed-ratio', '1', '--json'],
      {
        onEvent: (event) => {
          if (event.event === 'started') port = Number(event.port);
          if (event.event === 'seeding') leech.addPeer(LOCALHOST, port);
        },
      },
    );
    expect(code).toBe(0);
    expect(events).toContainEqual({ event: 'seeding-limit', reason: 'ratio' });
    expect(events.at(-1)).toMatchObject({
      event: 'stopped',
      complete: true,
      uploadedBytes: 150_008,
    });
    await leech.complete;
    await expectSame(dir, shared);
  });

  it('serves until the time is over', async () => {
    const shared = await share(folder.path, TREE);
    const args = ['-t', shared.file, '--dir', shared.dir, '--seed', '--seed-time', '0'];
    const { code, out } = await pieces(args);
    expect(code).toBe(0);
    expect(out).toContain('\nComplete: seeding. Ctrl-C ends.\n');
    expect(out).toContain('\nThe time to seed for is reached.\n');
  });
});

describe('nobody to download from', () => {
  it('ends with 5 after --timeout', async () => {
    const shared = await share(folder.path, TREE);
    const { code, error } = await pieces(download(shared, '--timeout', '0.01', '--no-dht'));
    expect(code).toBe(5);
    expect(error.split('\n').at(-2)).toBe(
      'pieces: Nobody that has what is missing was found for 0.01 s; try later, name a peer with --peer, or wait longer with --timeout.',
    );
  });
});

describe('interrupted', () => {
  it('ends with 130, and goes on where it was the next time', async () => {
    const shared = await share(folder.path, { big: 512 * KiB });
    const { peer } = await seed(shared, { maxUpBytesPerSecond: 100 * KiB });
    const interrupted = new AbortController();
    const first = await pieces(download(shared, ...peer, '--json'), {
      interrupted: interrupted.signal,
      onEvent: (event) => {
        if (event.event === 'progress' && Number(event.verifiedBytes) > 0) interrupted.abort();
      },
    });
    expect(first.code).toBe(130);
    const kept = first.events.at(-1);
    expect(kept).toMatchObject({ event: 'stopped', complete: false, state: 'stopped' });

    const { peer: fast } = await seed(shared);
    const second = await pieces(download(shared, ...fast, '--json'));
    expect(second.code).toBe(0);
    expect(Number(second.events.at(-1)?.downloadedBytes)).toBeLessThanOrEqual(
      512 * KiB - Number(kept?.verifiedBytes),
    );
    await expectSame(join(folder.path, 'copy'), shared);
  });

  it('ends with 0 when it was complete', async () => {
    const shared = await share(folder.path, TREE);
    const interrupted = new AbortController();
    const { code, events } = await pieces(
      ['-t', shared.file, '--dir', shared.dir, '--seed', '--json'],
      {
        interrupted: interrupted.signal,
        onEvent: ({ event }) => {
          if (event === 'seeding') interrupted.abort();
        },
      },
    );
    expect(code).toBe(0);
    expect(events.at(-1)).toMatchObject({ event: 'stopped', complete: true });
  });

  it('does not begin when that was before the start', async () => {
    const shared = await share(folder.path, TREE);
    const said = await pieces(download(shared), { interrupted: AbortSignal.abort() });
    expect(said).toMatchObject({ code: 130, error: '' });
  });
});
