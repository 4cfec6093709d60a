/** A file system that fails on command, and an executor that runs jobs on it without threads. */
import fs from 'node:fs';
import type { Done, JobExecutor } from '../src/node/disk-pool.ts';
import { JobRunner } from '../src/node/job-runner.ts';
import { type FileSystem, nodeFileSystem } from '../src/node/open-files.ts';
import type { Job } from '../src/node/protocol.ts';

type Call = 'open' | 'read' | 'write' | 'fsync' | 'mkdir' | 'ftruncate';

export class FaultyFileSystem implements FileSystem {
  /** Asked before each call; an errno name makes the call fail with it. For calls on descriptors `path` is how it was opened. */
  fault: (call: Call, path: string) => string | undefined = () => undefined;
  /** No write takes more bytes than this. */
  writeLimit = Number.POSITIVE_INFINITY;
  readonly calls: string[] = [];
  readonly #paths = new Map<number, string>();

  readonly openSync: FileSystem['openSync'] = (path, flags, mode) => {
    this.#check('open', String(path));
    const fd = fs.openSync(path, flags, mode);
    this.#paths.set(fd, String(path));
    return fd;
  };

  readonly readSync = ((fd: number, ...rest: [Uint8Array, number, number, number]) => {
    this.#check('read', this.#paths.get(fd)!);
    return fs.readSync(fd, ...rest);
  }) as FileSystem['readSync'];

  readonly writeSync = ((
    fd: number,
    data: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ) => {
    this.#check('write', this.#paths.get(fd)!);
    return fs.writeSync(fd, data, offset, Math.min(length, this.writeLimit), position);
  }) as FileSystem['writeSync'];

  readonly fsyncSync: FileSystem['fsyncSync'] = (fd) => {
    this.#check('fsync', this.#paths.get(fd)!);
    fs.fsyncSync(fd);
  };

  readonly mkdirSync = ((path: string, mode: number) => {
    this.#check('mkdir', path);
    return fs.mkdirSync(path, mode);
  }) as FileSystem['mkdirSync'];

  readonly ftruncateSync: FileSystem['ftruncateSync'] = (fd, length) => {
    this.#check('ftruncate', this.#paths.get(fd)!);
    fs.ftruncateSync(fd, length);
  };

  readonly closeSync: FileSystem['closeSync'] = (fd) => {
    this.#paths.delete(fd);
    fs.closeSync(fd);
  };

  readonly fstatSync = nodeFileSystem.fstatSync;
  readonly realpathSync = nodeFileSystem.realpathSync;
  readonly statSync = nodeFileSystem.statSync;

  /** Descriptors that are open now. */
  get openCount(): number {
    return this.#paths.size;
  }

  #check(call: Call, path: string): void {
    this.calls.push(call);
    const errno = this.fault(call, path);
    if (errno === undefined) return;
    throw Object.assign(new Error(`${errno}: ${call} '${path}'`), { code: errno, syscall: call });
  }
}

/** Runs each job in a turn of its own, with data transferred as to a thread. */
export class InlineExecutor implements JobExecutor {
  readonly maxWorkers = 2;
  readonly #runner: JobRunner;
  readonly jobs: Job['kind'][] = [];

  constructor(fileSystem: FileSystem = nodeFileSystem, maxOpenFiles = 8) {
    this.#runner = new JobRunner(maxOpenFiles, fileSystem);
  }

  submit<J extends Job>(job: J, done: Done<J['kind']>): void {
    const transfer = 'data' in job ? [job.data.buffer] : [];
    const received = structuredClone<Job>(job, { transfer });
    this.jobs.push(job.kind);
    setImmediate(() => {
      const answer = this.#runner.run(received);
      (done as Done<Job['kind']>)(answer, undefined);
    });
  }

  forget(root: string): Promise<void> {
    this.#runner.run({ kind: 'forget', root });
    return Promise.resolve();
  }

  close(): void {
    this.#runner.close();
  }
}
