// The statistics of a DHT node for people.
import type { DhtStatistics, OverlayStatistics } from '@bt/krpc-dht';
import { formatSize } from '../units.ts';

/** `IPv4 152 nodes  queries in 1,204 out 388  kept 17 peers of 5 torrents, 3 items  in 1.2 MiB out 0.9 MiB`. */
export function statisticsLine(statistics: DhtStatistics): string {
  const { ipv4, ipv6, stored, queriesIn, queriesOut, bytesIn, bytesOut } = statistics;
  const families = [
    ...(ipv4 === undefined ? [] : [`IPv4 ${nodesOf(ipv4)} nodes`]),
    ...(ipv6 === undefined ? [] : [`IPv6 ${nodesOf(ipv6)} nodes`]),
  ];
  return [
    ...families,
    `queries in ${sum(queriesIn)} out ${sum(queriesOut)}`,
    `kept ${stored.peers} peers of ${stored.infoHashes} torrents, ${stored.items} items`,
    `in ${formatSize(bytesIn)} out ${formatSize(bytesOut)}`,
  ].join('  ');
}

/** A table of all of them. */
export function statisticsText(statistics: DhtStatistics): string {
  const { ipv4, ipv6, stored, queriesIn, queriesOut, dropped, lookups } = statistics;
  const rows: (readonly [string, string])[] = [
    ...overlayRows('IPv4', ipv4),
    ...overlayRows('IPv6', ipv6),
    ['kept', `${stored.peers} peers of ${stored.infoHashes} torrents, ${stored.items} items`],
    ['queries in', counts(queriesIn)],
    ['queries out', counts(queriesOut)],
    ['answers in', `${statistics.answersIn}, ${statistics.errorsIn} errors`],
    ['unanswered', `${statistics.timeouts}`],
    ['errors out', `${statistics.errorsOut}`],
    ['dropped', counts(dropped)],
    ['lookups', `${lookups.ended} ended, ${lookups.running} running`],
    ['traffic', `in ${formatSize(statistics.bytesIn)}, out ${formatSize(statistics.bytesOut)}`],
    ['round trip', `${Math.round(statistics.roundTripMs)} ms`],
  ];
  return rows.map(([name, value]) => `${name.padEnd(12)} ${value}\n`).join('');
}

function overlayRows(
  name: string,
  overlay: OverlayStatistics | undefined,
): (readonly [string, string])[] {
  if (overlay === undefined) return [];
  const { good, questionable, bad, spare, buckets } = overlay.nodes;
  const { id, externalAddress = 'unknown' } = overlay;
  return [
    [
      name,
      `${good} good, ${questionable} questionable, ${bad} bad, ${spare} spare nodes in ${buckets} buckets`,
    ],
    ['  id', id],
    ['  seen as', externalAddress],
  ];
}

function nodesOf({ nodes }: OverlayStatistics): number {
  return nodes.good + nodes.questionable;
}

function sum(values: Readonly<Record<string, number>>): number {
  return Object.values(values).reduce((total, value) => total + value, 0);
}

/** Those that are not 0. */
function counts(values: Readonly<Record<string, number>>): string {
  const some = Object.entries(values).filter(([, value]) => value > 0);
  return some.length === 0 ? '0' : some.map(([name, value]) => `${name} ${value}`).join(', ');
}
