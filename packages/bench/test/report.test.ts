import { describe, expect, it } from 'vitest';
import type { CaseResult, Sample } from '../src/measurement.ts';
import { formatFigure, formatSeconds, renderBenchmark, renderCase } from '../src/report.ts';

function sample(wallSeconds: number, more: Partial<Sample> = {}): Sample {
  return { wallSeconds, userSeconds: 1, systemSeconds: 0.5, peakBytes: 3 * 2 ** 20, ...more };
}

const twoContenders: CaseResult = {
  name: 'a file',
  amount: { value: 100, unit: 'MB' },
  contenders: [
    { name: 'ours', samples: [sample(1), sample(4), sample(2)] },
    { name: 'theirs', samples: [sample(2), sample(8), sample(5, { userSeconds: 2.5 })] },
  ],
  missing: ['other is not installed: apt-get install other'],
};

/** The cells of a table, row by row, without its rule. */
function cells(markdown: string): string[][] {
  return markdown
    .split('\n')
    .filter((line) => line.startsWith('|') && !line.startsWith('| -'))
    .map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    );
}

describe('renderCase', () => {
  it('shows medians with ranges, rates, and ratios within each round', () => {
    const [heading, ours, theirs] = cells(renderCase(twoContenders));
    expect(heading).toEqual([
      ...['contender', 'wall', 'user CPU', 'system CPU', 'peak MiB', 'MB/s'],
      ...['wall ratio', 'CPU ratio'],
    ]);
    expect(ours!.slice(0, 2)).toEqual(['ours', '2.00 (1.00-4.00) s']);
    expect(ours!.slice(5)).toEqual(['50.0', '', '']);
    expect(theirs!.slice(1, 3)).toEqual(['5.00 (2.00-8.00) s', '1.00 (1.00-2.50) s']);
    expect(theirs!.slice(5)).toEqual(['20.0', '0.500', '1.00']);
  });

  it('names what is missing', () => {
    expect(renderCase(twoContenders)).toContain('- missing: other is not installed');
  });

  it('says only what is missing when nothing ran', () => {
    expect(renderCase({ name: 'x', contenders: [], missing: ['y'] })).toBe('## x\n\n- missing: y');
  });

  it('gives each further figure a column, and no ratio without a contender', () => {
    const samples = [sample(1, { figures: { 'have ns': 250 } }), sample(1)];
    const result = { name: 'x', contenders: [{ name: 'ours', samples }], missing: [] };
    const [heading, ours] = cells(renderCase(result));
    expect(heading!.slice(5)).toEqual(['have ns']);
    expect(ours!.slice(5)).toEqual(['250 (250-250)']);
  });

  it('aligns the table', () => {
    const lines = renderCase(twoContenders)
      .split('\n')
      .filter((line) => line.startsWith('|'));
    expect(new Set(lines.map((line) => line.length)).size).toBe(1);
  });
});

describe('renderBenchmark', () => {
  it('tells command, day and machine before the cases', () => {
    const text = renderBenchmark({
      name: 'create',
      title: 'making a .torrent',
      command: 'pnpm bench create',
      date: '2026-01-02T03:04:05.000Z',
      machine: '2 x Processor, 8 GiB',
      cases: [twoContenders],
    });
    expect(text.startsWith('# create: making a .torrent\n\n')).toBe(true);
    expect(text).toContain('`pnpm bench create`, 2026-01-02: 2 x Processor, 8 GiB.');
    expect(text).toContain('\n## a file\n');
    expect(text.endsWith('\n') && !text.endsWith('\n\n')).toBe(true);
  });
});

describe('formatSeconds', () => {
  it.each([
    [{ median: 12.345, least: 9, most: 123 }, '12.3 (9.00-123) s'],
    [{ median: 0.1, least: 0.05, most: 1 }, '0.100 (0.050-1.00) s'],
    [{ median: 0.0123, least: 0.01, most: 0.2 }, '12.3 (10.0-200) ms'],
    [{ median: 0.00002, least: 0, most: 0.0001 }, '20.0 (0.000-100) us'],
  ])('%o is %s', (values, text) => {
    expect(formatSeconds(values)).toBe(text);
  });
});

describe('formatFigure', () => {
  it.each([
    [1_234_567.8, '1,234,568'],
    [123, '123'],
    [12.34, '12.3'],
    [1.234, '1.23'],
    [0.1234, '0.123'],
  ])('%d is %s', (value, text) => {
    expect(formatFigure(value)).toBe(text);
  });
});
