import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { mktorrent, sample } from './harness.ts';

describe('mktorrent show', () => {
  it('tells what a torrent holds, as text, as JSON and as a magnet link', async () => {
    const folder = sample();
    await mktorrent(folder, [
      'tree',
      '--v2',
      '-a',
      'http://a/,http://b/',
      '-a',
      'udp://c:1',
      '-c',
      'he\x1b[31mllo',
      '--private',
      '--web-seed',
      'http://w/',
    ]);
    const text = await mktorrent(folder, ['show', 'tree.torrent']);
    expect(text).toMatchObject({ code: 0, stderr: '' });
    expect(text.stdout).toBe(
      `Name:         tree
Version:      v2
Info-hash v2: ${JSON.parse((await mktorrent(folder, ['show', 'tree.torrent', '--json'])).stdout).infoHashV2}
Size:         39.1 KiB (40,001 bytes)
Pieces:       4 pieces of 16 KiB
Private:      yes
Comment:      he\\u{1b}[31mllo
Created by:   @bt/mktorrent 0.0.0
Created at:   2023-11-14T22:13:20.000Z
Tier 1:       http://a/, http://b/
Tier 2:       udp://c:1
Web seed:     http://w/
3 files, each with the index that pieces --files takes:
  0  39.1 KiB  tree/a.txt
  1    1 byte  tree/sub/b.txt
  2   0 bytes  tree/sub/empty
`.replace(/mktorrent \d[^\n]*/, () => text.stdout.match(/mktorrent \d[^\n]*/)?.[0] ?? ''),
    );
    const magnet = await mktorrent(folder, ['show', 'tree.torrent', '--magnet']);
    expect(magnet.stdout).toMatch(/^magnet:\?xt=urn:btmh:1220[0-9a-f]{64}&dn=tree&[^\n]*\n$/);
  });

  it('refuses what is no torrent, or is not there, with 3', async () => {
    const folder = sample();
    await mktorrent(folder, ['tree']);
    const path = join(folder, 'tree.torrent');
    const bytes = readFileSync(path);
    for (const bad of [
      bytes.subarray(0, -1),
      Buffer.from('nonsense'),
      Buffer.concat([bytes, Buffer.from('x')]),
    ]) {
      writeFileSync(path, bad);
      const said = await mktorrent(folder, ['show', 'tree.torrent']);
      expect(said).toMatchObject({
        code: 3,
        stdout: '',
        stderr: expect.stringMatching(
          /^mktorrent: .*tree\.torrent is not a valid \.torrent: [^\n]+\.\n$/,
        ),
      });
    }
    truncateSync(path, 65 * 2 ** 20);
    expect(await mktorrent(folder, ['show', 'tree.torrent'])).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('too large'),
    });
    expect(await mktorrent(folder, ['show', 'gone'])).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('does not exist'),
    });
  });

  // Root may read everything.
  it.skipIf(process.getuid?.() === 0)('says what to do about a missing permission', async () => {
    const folder = sample();
    writeFileSync(join(folder, 'tree/secret.torrent'), 'x', { mode: 0 });
    expect((await mktorrent(folder, ['show', 'tree/secret.torrent'])).stderr).toMatch(
      /secret\.torrent can't be read: you have no permission, see its owner and mode\.\n$/,
    );
    expect((await mktorrent(folder, ['tree'])).stderr).toMatch(
      /secret\.torrent can't be read: .*; mend that, or leave it out with --exclude\.\n$/,
    );
  });

  it.each(['show', 'check'])('says in one sentence what %s can not read', async (command) => {
    const folder = sample();
    writeFileSync(join(folder, 'empty'), '');
    const sentenceFor = async (file: string) => {
      const words = command === 'show' ? [file] : [file, 'tree'];
      const said = await mktorrent(folder, [command, ...words]);
      expect(said).toMatchObject({ code: 3, stdout: '' });
      return said.stderr;
    };
    expect(await sentenceFor('tree')).toBe(
      `mktorrent: ${folder}/tree is a folder: give the .torrent itself.\n`,
    );
    expect(await sentenceFor('gone')).toBe(`mktorrent: ${folder}/gone does not exist.\n`);
    expect(await sentenceFor('empty/x')).toBe(`mktorrent: ${folder}/empty/x does not exist.\n`);
    expect(await sentenceFor('empty')).toBe(
      `mktorrent: ${folder}/empty is empty: no .torrent is.\n`,
    );
  });
});
