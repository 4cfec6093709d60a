// The view for people: a line that is rewritten on a terminal, plain lines now and then elsewhere, and a summary at the end.
import type { TorrentEvent, TorrentStats } from '@bt/engine';
import type { TorrentHandle } from '@bt/engine/node';
import { formatDuration, formatRate, formatShare, formatSize } from '../units.ts';
import type { Terminal, View } from './view.ts';

/** How often a line of progress is printed where it can't be rewritten. */
const PLAIN_INTERVAL_MS = 5_000;

export class TextView implements View {
  #terminal: Terminal;
  #verbose: boolean;
  #seed: boolean;
  #lineShown = false;
  #peersSeen = 0;
  #lastPlainAtMs = Number.NEGATIVE_INFINITY;

  constructor(terminal: Terminal, options: { readonly verbose: boolean; readonly seed: boolean }) {
    this.#terminal = terminal;
    this.#verbose = options.verbose;
    this.#seed = options.seed;
  }

  started(torrent: TorrentHandle, address: string | undefined, port: number): void {
    const { geometry, files, warnings } = torrent.metainfo.info;
    const size = formatSize(geometry.totalLength);
    const fileCount = `${files.count} ${files.count === 1 ? 'file' : 'files'}`;
    this.#print(`${torrent.name}: ${size} in ${fileCount}, ${geometry.pieceCount} pieces`);
    if (this.#verbose)
      this.#print(
        `Info-hash ${torrent.infoHashHex}, listening on ${address ?? 'every address'}, port ${port}`,
      );
    for (const { original, renamed } of warnings) {
      this.#warn(`${original} is not a safe name on every system; it is kept as ${renamed}.`);
    }
  }

  event(event: TorrentEvent): void {
    switch (event.type) {
      case 'progress':
        this.#progress(event.stats);
        break;
      case 'state':
        if (event.state === 'seeding' && this.#seed) this.#print('Complete: seeding. Ctrl-C ends.');
        break;
      case 'checked':
        if (event.piecesHave > 0) {
          this.#print(`${event.piecesHave} of ${event.pieceCount} pieces are here already.`);
        }
        break;
      case 'warning':
        this.#warn(event.message);
        break;
      case 'disk-error':
        this.#warn(`${event.error.message} The download waits and tries again.`);
        break;
      case 'peer-banned':
        this.#warn(`Banned ${event.address} port ${event.port}: ${event.reason}.`);
        break;
      case 'tracker':
        if (event.outcome === 'failed')
          this.#warn(`Tracker ${event.url}: ${event.message ?? 'no answer'}`);
        else if (this.#verbose) this.#print(`Tracker ${event.url}: ${event.peers ?? 0} peers`);
        break;
      case 'seeding-limit':
        this.#print(`The ${event.reason} to seed for is reached.`);
        break;
      case 'peer':
        this.#peersSeen += 1;
        if (this.#verbose)
          this.#print(
            `Peer ${event.address} port ${event.port} (${event.client}), ${event.direction}`,
          );
        break;
      case 'peer-closed':
        if (this.#verbose)
          this.#print(`Peer ${event.address} port ${event.port} gone: ${event.reason}`);
        break;
      default:
        break;
    }
  }

  checked(stats: TorrentStats): void {
    const { verifiedBytes, wantedBytes, piecesHave, pieceCount } = stats;
    this.#print(
      `${formatShare(verifiedBytes, wantedBytes)} is right (${piecesHave} of ${pieceCount} pieces).`,
    );
  }

  finished(stats: TorrentStats, complete: boolean): void {
    const {
      downloadedBytes,
      uploadedBytes,
      duplicateBytes,
      rejectedBytes,
      verifiedBytes,
      wantedBytes,
    } = stats;
    const seconds = stats.downloadingMs / 1000;
    const mean = seconds > 0 ? formatRate(downloadedBytes / seconds) : formatRate(0);
    this.#print(
      `${complete ? 'Done' : 'Stopped'}: ${formatSize(verifiedBytes)} of ${formatSize(wantedBytes)} (${formatShare(verifiedBytes, wantedBytes)}) after ${formatDuration(stats.runningMs)}`,
    );
    this.#print(
      `Received ${formatSize(downloadedBytes)} at ${mean} on average, ${formatSize(duplicateBytes)} twice, ${formatSize(rejectedBytes)} wrong; sent ${formatSize(uploadedBytes)}, ratio ${stats.ratio.toFixed(2)}; ${this.#peersSeen} ${this.#peersSeen === 1 ? 'peer' : 'peers'}`,
    );
  }

  failed(sentence: string): void {
    this.#clearLine();
    this.#terminal.error(`pieces: ${sentence}\n`);
  }

  #progress(stats: TorrentStats): void {
    const line = progressLine(stats);
    if (this.#terminal.isTerminal) {
      const width = Math.max(20, this.#terminal.columns - 1);
      this.#terminal.out(`\r\u001b[2K${line.slice(0, width)}`);
      this.#lineShown = true;
    } else if (stats.runningMs - this.#lastPlainAtMs >= PLAIN_INTERVAL_MS) {
      this.#lastPlainAtMs = stats.runningMs;
      this.#terminal.out(`${line}\n`);
    }
  }

  #print(line: string): void {
    this.#clearLine();
    this.#terminal.out(`${line}\n`);
  }

  #warn(sentence: string): void {
    this.#clearLine();
    this.#terminal.error(`Warning: ${sentence}\n`);
  }

  #clearLine(): void {
    if (this.#lineShown) this.#terminal.out('\r\u001b[2K');
    this.#lineShown = false;
  }
}

/** `12.3%  34.5 MiB of 256.0 MiB  down 12.0 MiB/s  up 0 B/s  4 peers  18 s left`. */
export function progressLine(stats: TorrentStats): string {
  const peers = `${stats.peersConnected} ${stats.peersConnected === 1 ? 'peer' : 'peers'}`;
  if (stats.state === 'checking') return `Checking ${formatShare(stats.checkedShare, 1)}`;
  if (stats.state === 'seeding') {
    return `Seeding  up ${formatRate(stats.upRate)}  sent ${formatSize(stats.uploadedBytes)}  ratio ${stats.ratio.toFixed(2)}  ${peers}`;
  }
  const left = stats.wantedBytes - stats.verifiedBytes;
  const timeLeft =
    stats.downRate > 0 ? `  ${formatDuration((left / stats.downRate) * 1000)} left` : '';
  return [
    formatShare(stats.verifiedBytes, stats.wantedBytes),
    `${formatSize(stats.verifiedBytes)} of ${formatSize(stats.wantedBytes)}`,
    `down ${formatRate(stats.downRate)}`,
    `up ${formatRate(stats.upRate)}`,
    `${peers}${stats.state === 'paused' ? '  paused' : timeLeft}`,
  ].join('  ');
}
