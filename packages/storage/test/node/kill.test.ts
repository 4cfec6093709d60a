import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { bitAt } from '../../src/bits.ts';
import { killSample } from './kill-sample.ts';
import { expectContent, openSample, type Place, place, waitForTick } from './store-bench.ts';

/** Runs a life that is killed with pieces under way when it has saved so many, or ends by itself. Returns what it told of. */
async function live(where: Place, killAfter: number): Promise<Set<number>> {
  const script = new URL('./killed-process.ts', import.meta.url).pathname;
  const loader = ['--import', 'tsx', '--conditions=@bt/source', '--unhandled-rejections=strict'];
  const child = spawn(
    process.execPath,
    [...loader, script, where.data, where.state, String(killAfter)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  let output = '';
  child.stdout.on('data', (text) => {
    output += text;
    if (output.split('\n').length > killAfter) child.kill('SIGKILL');
  });
  await new Promise((resolve) => child.on('close', resolve));
  // A line that was cut off by the kill is not a line.
  const lines = output.split('\n').slice(0, -1);
  return new Set(lines.filter((line) => line !== 'done').map(Number));
}

describe('a process that is killed', () => {
  it('loses no piece that it has told of, and never claims a wrong one', async () => {
    const sample = killSample();
    const where = place();
    const told = new Set<number>();
    for (const [life, killAfter] of [13, 31, 1000].entries()) {
      const pieces = await live(where, killAfter);
      for (const pieceIndex of pieces) {
        // Nothing that an earlier life had told of was downloaded again.
        expect(told.has(pieceIndex)).toBe(false);
        told.add(pieceIndex);
      }
      const { store, hashed } = await openSample(sample, where, { readOnly: true });
      for (const pieceIndex of told) expect(bitAt(store.have, pieceIndex)).toBe(true);
      const isClean = life === 2;
      expect(store.isComplete).toBe(isClean);
      if (isClean) expect(hashed).toBe(0);
      await store.close();
      if (life === 0) {
        // Damage between two lives, with the old mtime: only ctime tells.
        const file = where.file('c');
        waitForTick(file);
        const { atime, mtime } = fs.statSync(file);
        const fd = fs.openSync(file, 'r+');
        fs.writeSync(fd, Buffer.alloc(100, 'x'), 0, 100, 40_000);
        fs.closeSync(fd);
        fs.utimesSync(file, atime, mtime);
        const damaged = Math.floor((1_000_033 + 40_000) / 32768);
        told.delete(damaged);
      }
    }
    expect(fs.readdirSync(where.state).length).toBe(1);
    expect(path.extname(fs.readdirSync(where.state)[0]!)).toBe('.resume');
    expectContent(sample, where);
  });
});
