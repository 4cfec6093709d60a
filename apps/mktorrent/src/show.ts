// `mktorrent show`: what a .torrent holds, for a person, a program, or as a magnet link.
import { resolve } from 'node:path';
import { formatMagnet, type Metainfo, magnetOf, parseMetainfo, toHex } from '@bt/metainfo';
import type { ShowArguments } from './arguments.ts';
import { contentFiles } from './content-files.ts';
import { EXIT } from './exit.ts';
import { readTorrent } from './read-torrent.ts';
import type { Surroundings } from './run.ts';
import { formatBytes, grouped, plural, printable } from './text.ts';

export async function show(given: ShowArguments, surroundings: Surroundings): Promise<number> {
  const { stdout, folder } = surroundings;
  const metainfo = await readTorrent(resolve(folder, given.torrent));
  if (given.isJson) stdout.write(`${JSON.stringify(asJson(metainfo))}\n`);
  else if (given.wantsMagnet) stdout.write(`${formatMagnet(magnetOf(metainfo))}\n`);
  else stdout.write(asText(metainfo));
  return EXIT.done;
}

/** Lines for a person. */
export function describeTorrent(torrent: Uint8Array): string {
  return asText(parseMetainfo(torrent));
}

export function magnetLinkOf(torrent: Uint8Array): string {
  return formatMagnet(magnetOf(parseMetainfo(torrent)));
}

/** The members of `--json` that `show` and a newly made torrent have in common. */
export function summaryOf(torrent: Uint8Array): object {
  return asJson(parseMetainfo(torrent));
}

function asText(metainfo: Metainfo): string {
  const { info, announceTiers, webSeeds, nodes } = metainfo;
  const facts: [string, string | undefined][] = [
    ['Name', info.name],
    ['Version', info.version],
    ['Info-hash v1', info.infoHashV1 && toHex(info.infoHashV1)],
    ['Info-hash v2', info.infoHashV2 && toHex(info.infoHashV2)],
    ['Size', sizeText(info.files.contentLength)],
    ['Pieces', `${plural(info.geometry.pieceCount, 'piece')} of ${formatBytes(info.pieceLength)}`],
    ['Private', info.isPrivate ? 'yes' : undefined],
    ['Source', info.source],
    ['Comment', metainfo.comment],
    ['Created by', metainfo.createdBy],
    ['Created at', dateText(metainfo.createdAtSeconds)],
    ...announceTiers.map((tier, index): [string, string] => [`Tier ${index + 1}`, tier.join(', ')]),
    ...webSeeds.map((url): [string, string] => ['Web seed', url]),
    ...nodes.map(({ host, port }): [string, string] => ['DHT node', `${host}:${port}`]),
  ];
  const lines = facts
    .filter((fact): fact is [string, string] => fact[1] !== undefined)
    .map(([label, value]) => `${`${label}:`.padEnd(14)}${printable(value)}`);
  const files = contentFiles(metainfo);
  lines.push(`${plural(files.length, 'file')}, each with the index that pieces --files takes:`);
  const rows = files.map(({ index, length, path }) => [
    `${index}`,
    formatBytes(length),
    printable(path.join('/')),
  ]);
  const width = (column: number) =>
    rows.reduce((most, row) => Math.max(most, row[column]?.length ?? 0), 0);
  const [indexWidth, sizeWidth] = [width(0), width(1)];
  for (const [index = '', size = '', path = ''] of rows) {
    lines.push(`  ${index.padStart(indexWidth)}  ${size.padStart(sizeWidth)}  ${path}`);
  }
  for (const { original, renamed, reasons } of info.warnings) {
    const text = `Not safe as a name (${reasons.join(', ')}): ${original} becomes ${renamed}`;
    lines.push(printable(text));
  }
  const more = info.renamedCount - info.warnings.length;
  if (more > 0) lines.push(`${grouped(more)} more names become others.`);
  return `${lines.join('\n')}\n`;
}

function asJson(metainfo: Metainfo): object {
  const { info } = metainfo;
  return {
    name: info.name,
    version: info.version,
    infoHashV1: info.infoHashV1 && toHex(info.infoHashV1),
    infoHashV2: info.infoHashV2 && toHex(info.infoHashV2),
    bytes: info.files.contentLength,
    pieceLength: info.pieceLength,
    pieces: info.geometry.pieceCount,
    private: info.isPrivate,
    source: info.source,
    comment: metainfo.comment,
    createdBy: metainfo.createdBy,
    createdAt: metainfo.createdAtSeconds,
    announceTiers: metainfo.announceTiers,
    webSeeds: metainfo.webSeeds,
    nodes: metainfo.nodes,
    files: contentFiles(metainfo).map(({ index, path, length }) => ({
      index,
      path: path.join('/'),
      bytes: length,
    })),
    renamed: info.warnings,
    renamedCount: info.renamedCount,
    magnet: formatMagnet(magnetOf(metainfo)),
  };
}

/** Undefined also for a date that no calendar has. */
function dateText(seconds: number | undefined): string | undefined {
  const date = new Date((seconds ?? Number.NaN) * 1000);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}

function sizeText(bytes: number): string {
  return bytes < 1000 ? formatBytes(bytes) : `${formatBytes(bytes)} (${plural(bytes, 'byte')})`;
}
