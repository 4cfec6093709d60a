// packages/storage/bench/disk.ts

// packages/storage/bench/torrent.ts
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { buildInfo, parseInfo } from '@bt/metainfo';
import { PieceBuffers } from '@bt/storage';
import { FileStore } from '@bt/storage/node';

function benchTorrent(fileCount, fileLength, pieceLength) {
  const piece = new Uint8Array(pieceLength);
  for (let index = 0; index < pieceLength; index++) piece[index] = (index * 7919) >>> 3;
  const hash = createHash('sha1').update(piece).digest();
  const pieces = new Uint8Array((fileCount * fileLength * 20) / pieceLength);
  for (let at = 0; at < pieces.length; at += 20) pieces.set(hash, at);
  const files = Array.from({ length: fileCount }, (_, index) => ({
    path: [`folder-${Math.floor(index / 500)}`, `file-${String(index).padStart(6, '0')}.bin`],
    length: fileLength,
  }));
  const info = buildInfo({
    version: 'v1',
    name: 'bench',
    isSingleFile: false,
    pieceLength,
    files,
    pieces,
  });
  return { info: parseInfo(info), piece };
}

// packages/storage/bench/disk.ts
var GIB = 2 ** 30;
var base = fs.mkdtempSync(path.join(process.argv[3] ?? os.tmpdir(), 'bt-bench-'));
process.on('exit', () => fs.rmSync(base, { recursive: true, force: true }));
var start = () => ({ wall: performance.now(), cpu: process.cpuUsage() });
function stop(label, meter, bytes) {
  const wall = (performance.now() - meter.wall) / 1e3;
  const { user, system } = process.cpuUsage(meter.cpu);
  const cpu = (user + system) / 1e6;
  const rss = process.resourceUsage().maxRSS / 1024;
  const rate = bytes === 0 ? '' : ` ${(bytes / 1e9 / wall).toFixed(2)} GB/s`;
  const perGib = bytes === 0 ? '' : ` ${((cpu * GIB) / bytes).toFixed(2)} CPU s/GiB`;
  const split = `(user ${(user / 1e6).toFixed(2)}, system ${(system / 1e6).toFixed(2)})`;
  process.stdout.write(
    `${label}: ${wall.toFixed(2)} s${rate}, ${cpu.toFixed(2)} CPU s ${split}${perGib}, peak ${rss.toFixed(0)} MiB
`,
  );
}
var ignore = () => {};
function listener(events) {
  return {
    onPieceSaved: ignore,
    onBlockRead: ignore,
    onPieceVerified: ignore,
    onBufferReturned: ignore,
    onStalled: ignore,
    onResumed: ignore,
    onFileChanged: ignore,
    ...events,
  };
}
var openIn = (folder, torrent) =>
  FileStore.open({
    info: torrent.info,
    folder: path.join(base, folder),
    stateFolder: path.join(base, 'state'),
  });
function download(store, torrent, geometry) {
  return new Promise((resolve) => {
    const { blockLength, pieceCount } = geometry;
    const buffers = new PieceBuffers({ geometry, disk: store });
    const writer = buffers.createWriter();
    let pieceIndex = 0;
    let saved = 0;
    let isWaiting = false;
    const pump = () => {
      isWaiting = false;
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
async function benchSave() {
  for (const [name, pieceLength] of [
    ['256 KiB', 2 ** 18],
    ['1 MiB', 2 ** 20],
    ['4 MiB', 2 ** 22],
    ['16 MiB in segments', 2 ** 24],
    ['16 KiB', 2 ** 14],
    ['256 KiB again', 2 ** 18],
  ]) {
    const torrent = benchTorrent(1, GIB, pieceLength);
    const store = await openIn(name, torrent);
    const meter = start();
    await download(store, torrent, torrent.info.geometry);
    stop(`save 1 GiB, pieces of ${name}`, meter, GIB);
    await store.close();
    fs.rmSync(path.join(base, name), { recursive: true });
  }
}
function writeFiles(folder, torrent) {
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
async function checkTwice(label, torrent) {
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
async function benchCheck() {
  const torrent = benchTorrent(1, 4 * GIB, 2 ** 20);
  writeFiles('data', torrent);
  await checkTwice('4 GiB, pieces of 1 MiB', torrent);
}
async function benchStart() {
  const torrent = benchTorrent(5e4, 32768, 16384);
  writeFiles('data', torrent);
  await checkTwice('100,000 pieces in 50,000 files', torrent);
}
async function benchRead() {
  const torrent = benchTorrent(1, GIB, 2 ** 20);
  writeFiles('data', torrent);
  const store = await openIn('data', torrent);
  const meter = start();
  await new Promise((resolve) => {
    const blocks = GIB / 16384;
    let next = 0;
    let got = 0;
    let asked = 0;
    const pump = () => {
      while (next < blocks && asked < 16) {
        const pieceIndex = Math.floor(next / 64);
        const bytes = store.readBlock(pieceIndex, (next % 64) * 16384, 16384, next);
        next++;
        if (bytes === void 0) asked++;
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
var benches = {
  save: benchSave,
  check: benchCheck,
  start: benchStart,
  read: benchRead,
};
var wanted = process.argv[2];
for (const [name, bench] of Object.entries(benches)) {
  if (wanted === void 0 || wanted === name) await bench();
}
