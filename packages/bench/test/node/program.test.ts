import { describe, expect, it } from 'vitest';
import { runProgram } from '../../src/node/program.ts';

const BURN = 'while (process.cpuUsage().user + process.cpuUsage().system < 200e3);';

describe.runIf(process.platform === 'linux')('runProgram', () => {
  it('counts the CPU time of a program and of its children', async () => {
    const code = `${BURN} require('node:child_process').execFileSync(process.execPath, ['-e', ${JSON.stringify(BURN)}]);`;
    const { sample } = await runProgram({ file: process.execPath, args: ['-e', code] });
    expect(sample.userSeconds + sample.systemSeconds).toBeGreaterThanOrEqual(0.38); // 0.4 but for the clock's ticks
    expect(sample.wallSeconds).toBeGreaterThan(0);
  });

  it('sees the peak of its memory, and its output', async () => {
    const code = `Buffer.alloc(200 * 2 ** 20, 1); console.log('done'); ${BURN}`;
    const { sample, stdout } = await runProgram({ file: process.execPath, args: ['-e', code] });
    expect(sample.peakBytes).toBeGreaterThan(200 * 2 ** 20);
    expect(stdout).toBe('done\n');
  });

  it('rejects with what the program said when it fails', async () => {
    const args = ['-e', "console.error('no such thing'); process.exit(3)"];
    await expect(runProgram({ file: process.execPath, args })).rejects.toThrow(
      /ended with 3: no such thing/,
    );
  });

  it('rejects when there is no such program', async () => {
    await expect(runProgram({ file: 'no-such-program', args: [] })).rejects.toThrow(/ENOENT/);
  });
});
