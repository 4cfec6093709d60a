import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  DiskFailure,
  isInside,
  makeFolder,
  nodeFileSystem,
  OpenFiles,
} from '../../src/node/open-files.ts';
import { FaultyFileSystem } from '../faults.ts';
import { place } from './store-bench.ts';

const anyLength = { lengthBytes: 1000, isExecutable: false };

function setUp(maxOpen = 4): {
  readonly root: string;
  readonly outside: string;
  readonly fileSystem: FaultyFileSystem;
  readonly files: OpenFiles;
} {
  const { folder } = place();
  const root = path.join(folder, 'root');
  const outside = path.join(folder, 'outside');
  fs.mkdirSync(root);
  fs.mkdirSync(outside);
  const fileSystem = new FaultyFileSystem();
  return { root, outside, fileSystem, files: new OpenFiles(fileSystem, maxOpen) };
}

function codeOf(action: () => unknown): string {
  try {
    action();
    return 'no failure';
  } catch (error) {
    expect(error).toBeInstanceOf(DiskFailure);
    return (error as DiskFailure).code;
  }
}

describe('makeFolder', () => {
  const refusal = (code: string) => Object.assign(new Error(code), { code, syscall: 'mkdir' });

  it('makes what is missing, and leaves what is there', () => {
    const { root } = setUp();
    const folder = path.join(root, 'a/b/c');
    for (let time = 0; time < 2; time += 1) {
      makeFolder(nodeFileSystem, folder, 0o700);
      expect(fs.statSync(folder).isDirectory()).toBe(true);
    }
    expect(fs.statSync(folder).mode & 0o777).toBe(0o700);
    makeFolder(nodeFileSystem, '/');
  });

  it('tells why a folder on the way can not be made', () => {
    const made: string[] = [];
    const mkdirSync = ((folder: string) => {
      made.push(folder);
      throw refusal(folder === '/there/a' ? 'EROFS' : 'ENOENT');
    }) as typeof fs.mkdirSync;
    const statSync = () => ({ isDirectory: () => false });
    const make = () => makeFolder({ mkdirSync, statSync }, '/there/a/b/c');
    expect(make).toThrow(expect.objectContaining({ code: 'EROFS' }));
    expect(made).toEqual(['/there/a/b/c', '/there/a/b', '/there/a']);
  });

  it('ends where everything is always missing', () => {
    let calls = 0;
    const mkdirSync = (() => {
      calls += 1;
      throw refusal('ENOENT');
    }) as typeof fs.mkdirSync;
    const statSync = (folder: string) => ({ isDirectory: () => folder === '/proc' });
    const make = () => makeFolder({ mkdirSync, statSync }, '/proc/x/y');
    expect(make).toThrow(expect.objectContaining({ code: 'ENOENT' }));
    expect(calls).toBeLessThan(10);
  });

  it('takes a file in its place for no folder', () => {
    const { root } = setUp();
    fs.writeFileSync(path.join(root, 'file'), '');
    const make = (name: string) => () => makeFolder(nodeFileSystem, path.join(root, name));
    expect(make('file')).toThrow(expect.objectContaining({ code: 'EEXIST' }));
    expect(make('file/below')).toThrow(expect.objectContaining({ code: 'ENOTDIR' }));
  });

  it('is content with what another worker makes at the same time', () => {
    let isMade = false;
    const mkdirSync = (() => {
      const isFirst = !isMade;
      isMade = true;
      throw refusal(isFirst ? 'ENOENT' : 'EEXIST');
    }) as typeof fs.mkdirSync;
    const statSync = () => ({ isDirectory: () => isMade });
    expect(() => makeFolder({ mkdirSync, statSync }, '/there/a')).not.toThrow();
  });
});

describe('opening a file for writing', () => {
  it('makes it and its folders', () => {
    const { root, files } = setUp();
    files.forWriting(root, 'a/b/c', anyLength);
    expect(fs.statSync(path.join(root, 'a/b/c')).isFile()).toBe(true);
    expect(files.sizeBytes).toBe(0);
    fs.writeFileSync(path.join(root, 'a/b/c'), 'four');
    files.forWriting(root, 'a/b/c', anyLength);
    expect(files.sizeBytes).toBe(4);
    files.close();
    files.forWriting(root, 'a/b/c', anyLength);
    expect(files.sizeBytes).toBe(4);
    files.close();
  });

  it('cuts one that is too long, and leaves a shorter one', () => {
    const { root, files } = setUp();
    fs.writeFileSync(path.join(root, 'long'), Buffer.alloc(2000));
    fs.writeFileSync(path.join(root, 'short'), Buffer.alloc(10));
    files.forWriting(root, 'long', anyLength);
    expect(files.sizeBytes).toBe(1000);
    files.forWriting(root, 'short', anyLength);
    expect(files.sizeBytes).toBe(10);
    expect(fs.statSync(path.join(root, 'long')).size).toBe(1000);
    expect(fs.statSync(path.join(root, 'short')).size).toBe(10);
    files.close();
  });

  it('refuses links that lead out of the root, and makes nothing there', () => {
    const { root, outside, files } = setUp();
    fs.writeFileSync(path.join(outside, 'file'), 'precious');
    fs.symlinkSync(outside, path.join(root, 'folder'));
    fs.symlinkSync('../outside/file', path.join(root, 'file'));
    fs.symlinkSync('../outside/new', path.join(root, 'dangling'));
    fs.symlinkSync('/', path.join(root, 'slash'));
    for (const name of ['folder/file', 'folder/new', 'folder/new/deep', 'file', 'dangling']) {
      files.startJob();
      expect([name, codeOf(() => files.forWriting(root, name, anyLength))]).toEqual([
        name,
        'symlink',
      ]);
      expect([name, codeOf(() => files.forReading(root, name))]).not.toEqual([name, 'no failure']);
    }
    expect(codeOf(() => files.forReading(root, `slash${outside}/file`))).toBe('symlink');
    expect(fs.readdirSync(outside)).toEqual(['file']);
    expect(fs.readFileSync(path.join(outside, 'file'), 'utf8')).toBe('precious');
    expect(files.count).toBe(0);
  });

  it('follows a folder that is a link within the root', () => {
    const { root, files } = setUp();
    fs.mkdirSync(path.join(root, 'real'));
    fs.symlinkSync('real', path.join(root, 'alias'));
    files.forWriting(root, 'alias/file', anyLength);
    expect(fs.existsSync(path.join(root, 'real/file'))).toBe(true);
    files.close();
  });

  it('refuses what is no regular file, and never waits for a FIFO', () => {
    const { root, files } = setUp();
    fs.mkdirSync(path.join(root, 'folder'));
    execFileSync('mkfifo', [path.join(root, 'fifo')]);
    fs.writeFileSync(path.join(root, 'file'), '');
    expect(codeOf(() => files.forWriting(root, 'folder', anyLength))).toBe('is-directory');
    expect(codeOf(() => files.forWriting(root, 'fifo', anyLength))).toBe('is-directory');
    expect(codeOf(() => files.forWriting(root, 'file/below', anyLength))).toBe('not-directory');
    expect(codeOf(() => files.forWriting(root, 'file/deep/below', anyLength))).toBe(
      'not-directory',
    );
    files.forReading(root, 'fifo');
    files.close();
  });

  it('does not make the root anew', () => {
    const { root, files } = setUp();
    fs.rmdirSync(root);
    expect(codeOf(() => files.forWriting(root, 'a/b', anyLength))).toBe('missing');
    expect(fs.existsSync(root)).toBe(false);
  });

  it.each([
    ['EACCES', 'permission'],
    ['EROFS', 'read-only'],
    ['ENAMETOOLONG', 'bad-name'],
    ['EIO', 'io'],
    ['EWHATEVER', 'io'],
  ])('names %s as %s', (errno, code) => {
    const { root, fileSystem, files } = setUp();
    fileSystem.fault = () => errno;
    const caught = (): unknown => {
      try {
        return files.forWriting(root, 'a', anyLength);
      } catch (error) {
        return error;
      }
    };
    expect(caught()).toMatchObject({ code, errno, syscall: 'open', path: path.join(root, 'a') });
  });
});

describe('files that are kept open', () => {
  it('are few, and those used last', () => {
    const { root, fileSystem, files } = setUp(3);
    for (const name of ['a', 'b', 'c', 'd', 'e']) files.forWriting(root, name, anyLength);
    expect([files.count, fileSystem.openCount]).toEqual([3, 3]);
    fileSystem.calls.length = 0;
    for (const name of ['c', 'd', 'e']) files.forReading(root, name);
    expect(fileSystem.calls).toEqual([]);
    files.forReading(root, 'a');
    expect(fileSystem.openCount).toBe(3);
    files.forReading(root, 'd');
    expect(fileSystem.calls).toEqual(['open']);
    files.close();
    expect(fileSystem.openCount).toBe(0);
  });

  it('are opened again for writing after reading', () => {
    const { root, fileSystem, files } = setUp();
    fs.writeFileSync(path.join(root, 'a'), 'x');
    const reading = files.forReading(root, 'a');
    expect(() => fs.writeSync(reading, 'y')).toThrow();
    fs.writeSync(files.forWriting(root, 'a', anyLength), 'y');
    expect(fs.readFileSync(path.join(root, 'a'), 'utf8')).toBe('y');
    expect(fileSystem.openCount).toBe(1);
    files.close();
  });

  it('are closed by folder', () => {
    const { root, outside, files } = setUp();
    files.forWriting(root, 'a', anyLength);
    files.forWriting(outside, 'a', anyLength);
    files.close(root);
    expect(files.count).toBe(1);
    files.close();
  });

  it('give way when the process has no descriptor left', () => {
    const { root, fileSystem, files } = setUp();
    for (const name of ['a', 'b']) files.forWriting(root, name, anyLength);
    fileSystem.fault = (call) =>
      call === 'open' && fileSystem.openCount > 0 ? 'EMFILE' : undefined;
    files.forWriting(root, 'c', anyLength);
    expect(files.count).toBe(1);
    fileSystem.fault = () => 'EMFILE';
    expect(codeOf(() => files.forWriting(root, 'd', anyLength))).toBe('too-many-files');
    files.close();
  });

  it('are opened anew when they were removed', () => {
    const { root, files } = setUp();
    fs.writeFileSync(path.join(root, 'a'), 'x');
    files.forReading(root, 'a');
    fs.rmSync(path.join(root, 'a'));
    expect(codeOf(() => files.forReading(root, 'a'))).toBe('missing');
    files.close();
  });
});

describe('being inside', () => {
  it.each([
    ['/a', '/a', true],
    ['/a', '/a/b', true],
    ['/a', '/ab', false],
    ['/a', '/', false],
    ['/', '/anything', true],
  ])('of %s is told of %s: %s', (root, real, inside) => {
    expect(isInside(root, real)).toBe(inside);
  });
});
