// A benchmark's result as Markdown: a table for each case, aligned so that it reads on a terminal too.
import type {
  Amount,
  BenchmarkResult,
  CaseResult,
  ContenderResult,
  Sample,
} from './measurement.ts';
import { median, ratio, type Spread, spread } from './statistics.ts';

const MEBIBYTE = 2 ** 20;

export function renderBenchmark(result: BenchmarkResult): string {
  return [
    `# ${result.name}: ${result.title}`,
    `\`${result.command}\`, ${result.date.slice(0, 10)}: ${result.machine}.`,
    'Medians with their range. Ratios are ours to theirs, the median of the ratios within each round: below 1 we need less.',
    ...result.cases.map(renderCase),
    '',
  ]
    .join('\n\n')
    .trimEnd()
    .concat('\n');
}

export function renderCase(result: CaseResult): string {
  const [ours] = result.contenders;
  const missing = result.missing.map((sentence) => `- missing: ${sentence}`).join('\n');
  const heading = `## ${result.name}`;
  if (ours === undefined) return [heading, missing].filter(Boolean).join('\n\n');
  const columns = columnsOf(result, ours);
  const rows = result.contenders.map((contender) =>
    columns.map((column) => column.cell(contender)),
  );
  const table = renderTable([columns.map((column) => column.heading), ...rows]);
  const rounds = `Rounds: ${ours.samples.length}.`;
  return [heading, table, rounds, missing].filter(Boolean).join('\n\n');
}

interface Column {
  readonly heading: string;
  readonly cell: (contender: ContenderResult) => string;
}

function columnsOf(result: CaseResult, ours: ContenderResult): Column[] {
  const { amount } = result;
  const columns: Column[] = [
    { heading: 'contender', cell: ({ name }) => name },
    spreadColumn('wall', wallOf, formatSeconds),
    spreadColumn('user CPU', (sample) => sample.userSeconds, formatSeconds),
    spreadColumn('system CPU', (sample) => sample.systemSeconds, formatSeconds),
    spreadColumn('peak MiB', (sample) => sample.peakBytes / MEBIBYTE),
  ];
  if (amount !== undefined) columns.push(rateColumn(amount));
  const figures = new Set(ours.samples.flatMap((sample) => Object.keys(sample.figures ?? {})));
  for (const name of figures) {
    columns.push(spreadColumn(name, (sample) => sample.figures?.[name]));
  }
  if (result.contenders.length > 1) {
    columns.push(ratioColumn('wall ratio', ours, wallOf));
    columns.push(ratioColumn('CPU ratio', ours, cpuOf));
  }
  return columns;
}

function wallOf(sample: Sample): number {
  return sample.wallSeconds;
}

function cpuOf(sample: Sample): number {
  return sample.userSeconds + sample.systemSeconds;
}

function spreadColumn(
  heading: string,
  pick: (sample: Sample) => number | undefined,
  format: (values: Spread) => string = formatSpread,
): Column {
  return {
    heading,
    cell: ({ samples }) => {
      const values = samples.map(pick).filter((value) => value !== undefined);
      return values.length === 0 ? '-' : format(spread(values));
    },
  };
}

function rateColumn({ value, unit }: Amount): Column {
  return {
    heading: `${unit}/s`,
    cell: ({ samples }) => formatFigure(value / median(samples.map(wallOf))),
  };
}

function ratioColumn(
  heading: string,
  ours: ContenderResult,
  pick: (sample: Sample) => number,
): Column {
  return {
    heading,
    cell: (contender) => {
      if (contender === ours) return '';
      const value = ratio(ours.samples.map(pick), contender.samples.map(pick));
      return value === undefined ? '-' : formatFigure(value);
    },
  };
}

/** In the unit that fits the median. */
export function formatSeconds({ median, least, most }: Spread): string {
  const [unit, perSecond] =
    median >= 0.1 ? ['s', 1] : median >= 1e-4 ? ['ms', 1e3] : (['us', 1e6] as const);
  const scaled = {
    median: median * perSecond,
    least: least * perSecond,
    most: most * perSecond,
  };
  return `${formatSpread(scaled)} ${unit}`;
}

function formatSpread({ median, least, most }: Spread): string {
  return `${formatFigure(median)} (${formatFigure(least)}-${formatFigure(most)})`;
}

/** A number of any size, short. */
export function formatFigure(value: number): string {
  if (value >= 100) return value.toFixed(0).replace(/\B(?=(\d{3})+$)/g, ',');
  if (value >= 10) return value.toFixed(1);
  return value.toFixed(value >= 1 ? 2 : 3);
}

function renderTable([heading, ...rows]: readonly (readonly string[])[]): string {
  const widths = heading!.map((cell, column) =>
    Math.max(3, cell.length, ...rows.map((row) => row[column]!.length)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`;
  return [line(heading!), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join(
    '\n',
  );
}
