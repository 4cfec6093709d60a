import { buildInfo, type Info, parseInfo } from '@bt/metainfo';
import { describe, expect, it } from 'vitest';
import { seedFileUrl } from '../../src/web-seed/seed-url.ts';

const common = { version: 'v1', pieceLength: 16_384, pieces: new Uint8Array(20) } as const;
const lone = (name: string | Uint8Array): Info =>
  parseInfo(
    buildInfo({ ...common, name, isSingleFile: true, files: [{ path: [name], length: 5 }] }),
  );
const several = (name: string, ...paths: string[][]): Info => {
  const files = paths.map((path) => ({ path, length: 5 }));
  const info = buildInfo({ ...common, name, isSingleFile: false, files });
  return parseInfo(info, { windowsNames: true });
};

describe('the URL of a file', () => {
  it('BEP 19: is the URL itself for one file, unless it ends in a slash', () => {
    const info = lone('file.exe');
    expect(seedFileUrl('http://mirror.com/file.exe', info, 0)).toBe('http://mirror.com/file.exe');
    expect(seedFileUrl('http://mirror.com/pub/', info, 0)).toBe('http://mirror.com/pub/file.exe');
  });

  it('BEP 19: has the name and the path of one of several files', () => {
    const info = several('michael', ['Readme.txt'], ['a', 'b', 'c.bin']);
    const url = 'http://mirror.com/pub/michael/Readme.txt';
    expect(seedFileUrl('http://mirror.com/pub/', info, 0)).toBe(url);
    expect(seedFileUrl('http://mirror.com/pub', info, 0)).toBe(url);
    expect(seedFileUrl('http://mirror.com', info, 1)).toBe('http://mirror.com/michael/a/b/c.bin');
  });

  it('is encoded byte by byte, with no component that changes where the path leads', () => {
    const info = several('ä b', ['100%?#', "it's (1)+2~.txt"]);
    expect(seedFileUrl('http://m/', info, 0)).toBe(
      'http://m/%C3%A4%20b/100%25%3F%23/it%27s%20%281%29%2B2~.txt',
    );
    expect(seedFileUrl('http://m/', lone(Uint8Array.of(0xff, 0x41)), 0)).toBe('http://m/%FFA');
  });

  it('has the names that the torrent has, not those on our disk', () => {
    const info = several('a:b', ['CON', 'x?']);
    expect(info.files.pathOf(0)).not.toContain('CON');
    expect(seedFileUrl('http://m/', info, 0)).toBe('http://m/a%3Ab/CON/x%3F');
  });

  it('keeps a query behind the path, and leaves out a fragment', () => {
    const info = several('n', ['f']);
    expect(seedFileUrl('http://m/p?key=1/#x', info, 0)).toBe('http://m/p/n/f?key=1/');
    expect(seedFileUrl('http://m/f?key=1', lone('f'), 0)).toBe('http://m/f?key=1');
    expect(seedFileUrl('http://m/?key=1', lone('f'), 0)).toBe('http://m/f?key=1');
  });
});
