/**
 * What the disk path costs without a network: collecting blocks and saving pieces, checking, a restart, reading for uploads.
 * Run from the repository's root:
 *
 *     pnpm dev packages/storage/bench/disk.ts [save|check|start|read] [FOLDER]
 *
 * Prints one line a case: wall seconds, CPU seconds of the process with its workers, and the largest resident memory so far.
 * Each case that changes memory much is better run in a process of its own.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type DiskEvents, PieceBuffers, type PieceShape } from '@bt/storage';
import { FileStore } from '@bt/storage/node';
import { type BenchTorrent, benchTorrent } from './torrent.ts';

const GIB = 2 ** 30;
const base = fs.mkdtempSync(path.join(process.argv[3] ?? os.tmpdir(), 'bt-bench-'));
process.on('exit', () => fs.rmSync(base, { recursive: true, force: true }));

interface Meter {
  readonly wall: number;
  readonly cpu: NodeJS.CpuUsage;
}

const start = (): Meter => ({ wall: performance.now(), cpu: process.cpuUsage() });

function stop(label: string, meter: Meter, bytes: number): void {
  const wall = (performance.now() - meter.wall) / 1000;
  const { user, system } = process.cpuUsage(meter.cpu);
  const cpu = (user + system) / 1e6;
  const rss = process.resourceUsage().maxRSS / 1024;
  const rate = bytes === 0 ? '' : ` ${(bytes / 1e9 / wall).toFixed(2)} GB/s`;
  const perGib = bytes === 0 ? '' : ` ${((cpu * GIB) / bytes).toFixed(2)} CPU s/GiB`;
  const split = `(user ${(user / 1e6).toFixed(2)}, system ${(system / 1e6).toFixed(2)})`;
  process.stdout.write(
    `${label}: ${wall.toFixed(2)} s${rate}, ${cpu.toFixed(2)} CPU s ${split}${perGib}, peak ${rss.toFixed(0)} MiB\n`,
  );
}

const ignore = (): void => {};

function listener(events: Partial<DiskEvents>): DiskEvents {
  return {
    onPieceSaved: ignore,
    onBlockRead: ignore,
    onPieceVerified: ignore,
    onBlocksHashed: ignore,
    onBufferReturned: ignore,
    onStalled: ignore,
    onResumed: ignore,
    onFileChanged: ignore,
    ...events,
  };
}

const openIn = (folder: string, torrent: BenchTorrent): Promise<FileStore> =>
  FileStore.open({
    info: torrent.info,
    folder: path.join(base, folder),
    stateFolder: path.join(base, 'state'),
  });

/** Every block of the torrent in order, from one static chunk, as fast as the disk takes them. */
function download(store: FileStore, torrent: BenchTorrent, geometry: PieceShape): Promise<void> {
  return new Promise((resolve) => {
    const { blockLength, pieceCount } = geometry;
    const buffers = new PieceBuffers({ geometry, disk: store });
    const writer = buffers.createWriter();
    let pieceIndex = 0;
    let saved = 0;
    let isWaiting = false;
    const pump = (): void => {
      isWaiting = false;
      // As long as a turn of the event loop that reads from a socket: 1 MiB.
      for (let bytes = 0; bytes < 2 ** 20 && pieceIndex < pieceCount; pieceIndex++) {
        const size = geometry.pieceSize(pieceIndex);
        for (let offset = 0; offset < size; offset += blockLength) {
          const length = Math.min(blockLength, size - offset);
          writer.start(pieceIndex, offset, length);
          writer.write(torrent.piece, offset, offset + length, 0);
          writer.end();
        }
        buffers.save(pieceIndex);
        bytes += size;
        if (buffers.isFull) {
          pieceIndex++;
          isWaiting = true;
          return;
        }
      }
      if (pieceIndex < pieceCount) setImmediate(pump);
    };
    store.connect(
      listener({
        onBufferReturned: (buffer) => {
          buffers.recycle(buffer);
          if (!isWaiting || buffers.isFull) return;
          isWaiting = false;
          setImmediate(pump);
        },
        onPieceSaved: () => {
          if (++saved === pieceCount) resolve();
        },
      }),
    );
    pump();
  });
}

async function benchSave(): Promise<void> {
  for (const [name, pieceLength] of [
    ['256 KiB', 2 ** 18],
    ['1 MiB', 2 ** 20],
    ['4 MiB', 2 ** 22],
    ['16 MiB in segments', 2 ** 24],
    ['16 KiB', 2 ** 14],
    ['256 KiB again', 2 ** 18],
  ] as const) {
    const torrent = benchTorrent(1, GIB, pieceLength);
    const store = await openIn(name, torrent);
    const meter = start();
    await download(store, torrent, torrent.info.geometry);
    stop(`save 1 GiB, pieces of ${name}`, meter, GIB);
    await store.close();
    fs.rmSync(path.join(base, name), { recursive: true });
  }
}

function writeFiles(folder: string, torrent: BenchTorrent): void {
  const { files } = torrent.info;
  let made = '';
  for (let index = 0; index < files.count; index++) {
    const full = path.join(base, folder, ...files.pathOf(index));
    if (path.dirname(full) !== made) {
      made = path.dirname(full);
      fs.mkdirSync(made, { recursive: true });
    }
    const fd = fs.openSync(full, 'w');
    for (let left = files.lengthOf(index); left > 0; left -= torrent.piece.length) {
      fs.writeSync(fd, torrent.piece);
    }
    fs.closeSync(fd);
  }
}

async function checkTwice(label: string, torrent: BenchTorrent): Promise<void> {
  const bytes = torrent.info.geometry.totalLength;
  const meter = start();
  const store = await openIn('data', torrent);
  stop(`check ${label}`, meter, bytes);
  if (!store.isComplete) throw new Error('not complete');
  await store.close();
  const again = start();
  const second = await openIn('data', torrent);
  stop(`clean restart ${label}`, again, 0);
  if (!second.isComplete) throw new Error('not complete');
  await second.close();
}

async function benchCheck(): Promise<void> {
  const torrent = benchTorrent(1, 4 * GIB, 2 ** 20);
  writeFiles('data', torrent);
  await checkTwice('4 GiB, pieces of 1 MiB', torrent);
}

async function benchStart(): Promise<void> {
  const torrent = benchTorrent(50_000, 32768, 16384);
  writeFiles('data', torrent);
  await checkTwice('100,000 pieces in 50,000 files', torrent);
}

async function benchRead(): Promise<void> {
  const torrent = benchTorrent(1, GIB, 2 ** 20);
  writeFiles('data', torrent);
  const store = await openIn('data', torrent);
  const meter = start();
  await new Promise<void>((resolve) => {
    const blocks = GIB / 16384;
    let next = 0;
    let got = 0;
    let asked = 0;
    // Sixteen requests under way, as a socket that takes what it is given.
    const pump = (): void => {
      while (next < blocks && asked < 16) {
        const pieceIndex = Math.floor(next / 64);
        const bytes = store.readBlock(pieceIndex, (next % 64) * 16384, 16384, next);
        next++;
        if (bytes === undefined) asked++;
        else got++;
      }
      if (got === blocks) resolve();
    };
    store.connect(
      listener({
        onBlockRead: () => {
          asked--;
          got++;
          setImmediate(pump);
        },
      }),
    );
    pump();
  });
  stop('read 1 GiB in blocks of 16 KiB', meter, GIB);
  await store.close();
}

const benches: Record<string, () => Promise<void>> = {
  save: benchSave,
  check: benchCheck,
  start: benchStart,
  read: benchRead,
};
const wanted = process.argv[2];
for (const [name, bench] of Object.entries(benches)) {
  if (wanted === undefined || wanted === name) await bench();
}
