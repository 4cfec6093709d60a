// A few line plots side by side as SVG: x is log2 of a number of nodes, y begins at 0.

export interface Plot {
  readonly title: string;
  readonly lines: readonly Line[];
}

export interface Line {
  readonly name: string;
  readonly isDashed: boolean;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

const WIDTH = 460;
const HEIGHT = 320;
const LEFT = 40;
const RIGHT = 16;
const TOP = 36;
const BOTTOM = 120;
const COLOURS = ['#b4451f', '#1f6fb4', '#d98b6a', '#6aa6d9'];

export function drawPlots(plots: readonly Plot[]): string {
  const width = WIDTH * plots.length;
  const body = plots.map((plot, i) => `<g transform="translate(${i * WIDTH} 0)">${draw(plot)}</g>`);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${HEIGHT}"`,
    ` viewBox="0 0 ${width} ${HEIGHT}" font-family="sans-serif" font-size="11">`,
    `<title>${plots.map(({ title }) => title).join('; ')}</title>`,
    `<rect width="${width}" height="${HEIGHT}" fill="#fff"/>\n${body.join('\n')}\n</svg>\n`,
  ].join('');
}

function draw({ title, lines }: Plot): string {
  const points = lines.flatMap((line) => line.points);
  const minX = Math.floor(Math.min(...points.map(({ x }) => x)));
  const maxX = Math.ceil(Math.max(...points.map(({ x }) => x)));
  const step = Math.max(...points.map(({ y }) => y)) > 12 ? 10 : 2;
  const maxY = step * Math.ceil(Math.max(...points.map(({ y }) => y)) / step);
  const px = (x: number) =>
    round(LEFT + ((x - minX) / (maxX - minX || 1)) * (WIDTH - LEFT - RIGHT));
  const py = (y: number) => round(HEIGHT - BOTTOM - (y / maxY) * (HEIGHT - TOP - BOTTOM));
  const parts = [text(LEFT, 20, title, 'font-size="13" font-weight="bold"')];
  for (let y = 0; y <= maxY; y += step) {
    const at = py(y);
    parts.push(`<path d="M${LEFT} ${at}H${WIDTH - RIGHT}" stroke="#ddd"/>`);
    parts.push(text(LEFT - 6, at + 4, String(y), 'text-anchor="end"'));
  }
  for (let x = minX; x <= maxX; x++) {
    parts.push(text(px(x), HEIGHT - BOTTOM + 16, String(x), 'text-anchor="middle"'));
  }
  const middle = (LEFT + WIDTH - RIGHT) / 2;
  parts.push(text(middle, HEIGHT - BOTTOM + 32, 'log2 of the number of nodes', CENTRED));
  lines.forEach((line, i) => {
    const stroke = `stroke="${COLOURS[i % COLOURS.length]}"${line.isDashed ? DASHED : ''}`;
    const path = line.points.map(({ x, y }) => `${px(x)} ${py(y)}`).join('L');
    const legendY = HEIGHT - BOTTOM + 50 + i * 17;
    parts.push(`<path d="M${path}" fill="none" stroke-width="2" ${stroke}/>`);
    parts.push(`<path d="M${LEFT} ${legendY - 4}h24" stroke-width="2" ${stroke}/>`);
    parts.push(text(LEFT + 32, legendY, line.name, ''));
    for (const { x, y } of line.points) {
      parts.push(
        `<circle cx="${px(x)}" cy="${py(y)}" r="2.5" fill="${COLOURS[i % COLOURS.length]}"/>`,
      );
    }
  });
  return parts.join('\n');
}

const CENTRED = 'text-anchor="middle"';
const DASHED = ' stroke-dasharray="5 4"';

function text(x: number, y: number, content: string, attributes: string): string {
  return `<text x="${x}" y="${y}" ${attributes}>${content}</text>`;
}

function round(value: number): number {
  return Math.round(10 * value) / 10;
}
