import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkTarget, writeWhole } from '../src/output-file.ts';
import { makeTempFolder } from './harness.ts';

const BYTES = new TextEncoder().encode('new');

describe('writeWhole', () => {
  it('writes the file and nothing else', async () => {
    const folder = makeTempFolder();
    await writeWhole(join(folder, 'a'), BYTES, false);
    expect(readdirSync(folder)).toEqual(['a']);
    expect(readFileSync(join(folder, 'a'), 'utf8')).toBe('new');
  });

  it('leaves a file that appeared meanwhile alone, unless forced', async () => {
    const folder = makeTempFolder();
    writeFileSync(join(folder, 'a'), 'old');
    await expect(writeWhole(join(folder, 'a'), BYTES, false)).rejects.toMatchObject({
      exitCode: 4,
      message: expect.stringContaining('--force'),
    });
    expect(readFileSync(join(folder, 'a'), 'utf8')).toBe('old');
    expect(readdirSync(folder)).toEqual(['a']);
    await writeWhole(join(folder, 'a'), BYTES, true);
    expect(readFileSync(join(folder, 'a'), 'utf8')).toBe('new');
    expect(readdirSync(folder)).toEqual(['a']);
  });

  it('leaves nothing behind when the last step fails', async () => {
    const folder = makeTempFolder();
    mkdirSync(join(folder, 'a/full'), { recursive: true });
    await expect(writeWhole(join(folder, 'a'), BYTES, true)).rejects.toMatchObject({ exitCode: 4 });
    expect(readdirSync(folder)).toEqual(['a']);
  });
});

describe('checkTarget', () => {
  it('refuses what could not be written later', async () => {
    const folder = makeTempFolder();
    writeFileSync(join(folder, 'a'), 'old');
    await checkTarget(join(folder, 'b'), false);
    await checkTarget(join(folder, 'a'), true);
    await expect(checkTarget(join(folder, 'a'), false)).rejects.toMatchObject({ exitCode: 4 });
    await expect(checkTarget(folder, true)).rejects.toMatchObject({ exitCode: 4 });
    await expect(checkTarget(join(folder, 'no/b'), false)).rejects.toMatchObject({
      exitCode: 4,
      message: expect.stringContaining('folder does not exist'),
    });
    await expect(checkTarget(join(folder, 'a/b'), false)).rejects.toMatchObject({ exitCode: 4 });
  });
});
