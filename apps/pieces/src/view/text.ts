// The view for people: a line that is rewritten on a terminal, plain lines now and then elsewhere, and a summary at the end.
import type { PeerSource, TorrentEvent, TorrentState, TorrentStats } from '@bt/engine';
import { type Magnet, type Metainfo, toHex } from '@bt/metainfo';
import { mayPass, withFullStop } from '../failures.ts';
import type { Target } from '../pointer.ts';
import { formatDuration, formatRate, formatShare, formatSize } from '../units.ts';
import { countFiles } from './content.ts';
import { Pace } from './pace.ts';
import { printable } from './printable.ts';
import type { Found, Listening, Terminal, View } from './view.ts';

/** Renamed files that are told of one by one. */
const MAX_RENAMED_LINES = 10;
/** Files with missing or wrong pieces that `--check` names on a terminal, where others would scroll away. */
const MAX_INCOMPLETE_LINES = 20;

export class TextView implements View {
  #terminal: Terminal;
  #verbose: boolean;
  #seed: boolean;
  #lineShown = false;
  #pace = new Pace();
  #peersSeen = 0;
  #isPaused = false;
  /** What each tracker, web seed and named peer said last time it failed: the same again is not news. */
  #failures = new Map<string, string>();
  #hasToldWhere = false;

  constructor(terminal: Terminal, options: { readonly verbose: boolean; readonly seed: boolean }) {
    this.#terminal = terminal;
    this.#verbose = options.verbose;
    this.#seed = options.seed;
  }

  pointer(publicKey: Uint8Array, target: Target | undefined): void {
    const key = `Key ${toHex(publicKey)}`;
    if (target === undefined) this.#print(`${key}: asking the DHT where it leads`);
    else this.#print(`${key} leads to ${toHex(target.infoHash)}, its number ${target.sequence}.`);
  }

  searching({ name, infoHashV1, infoHashV2 }: Magnet, listening: Listening): void {
    this.#print(`${name ?? 'Magnet link'}: looking for somebody who has the metadata`);
    const hashes = [infoHashV1, infoHashV2].filter((hash) => hash !== undefined).map(toHex);
    this.#listening(hashes.join(' and '), listening);
  }

  started({ info }: Metainfo, listening?: Listening): void {
    const { name, geometry, files, warnings, renamedCount } = info;
    const size = `${formatSize(files.contentLength)} in ${counted(countFiles(files), 'file')}`;
    this.#print(`${name}: ${size}, ${counted(geometry.pieceCount, 'piece')}`);
    this.#listening(toHex(info.infoHash), listening);
    for (const { original, renamed } of warnings.slice(0, MAX_RENAMED_LINES)) {
      this.#warn(`${original} is not a safe name on every system; it is downloaded as ${renamed}.`);
    }
    const more = renamedCount - MAX_RENAMED_LINES;
    const listed = renamedCount > warnings.length ? `the first ${warnings.length}` : 'them';
    if (more > 0)
      this.#warn(`${more} more names are downloaded as others; --json lists ${listed}.`);
  }

  event(event: TorrentEvent): void {
    switch (event.type) {
      case 'progress':
        this.#progress(progressLine(event.stats), event.stats.runningMs);
        break;
      case 'state':
        this.#stateChanged(event.state);
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
        // An error that lasts is the end, which tells of it.
        if (mayPass(event.error))
          this.#warn(`${withFullStop(event.error.message)} The download waits for it.`);
        break;
      case 'save-failed':
        this.#warn(
          `${withFullStop(event.error.message)} Piece ${event.pieceIndex} is lost by it, and got again.`,
        );
        break;
      case 'peer-banned':
        this.#warn(`Banned ${event.address} port ${event.port}: ${event.reason}.`);
        break;
      case 'tracker':
        this.#trackerAnswered(event);
        break;
      case 'web-seed':
        this.#webSeedHeard(event);
        break;
      case 'port-mapping':
        if (this.#verbose) this.#print(portLine(event));
        break;
      case 'seeding-limit':
        this.#print(`The ${event.reason} to seed for is reached.`);
        break;
      case 'peer':
        this.#peersSeen += 1;
        if (this.#verbose)
          this.#print(
            `Peer ${event.address} port ${event.port} (${event.client}), ${foundBy(event)}`,
          );
        break;
      case 'peer-unreachable': {
        // The user has named it.
        const peer = `${event.address} port ${event.port}`;
        if (this.#verbose) this.#print(`Peer ${peer} can't be reached: ${event.message}`);
        else this.#failed(`peer ${peer} can't be reached`, peer, event.message);
        break;
      }
      case 'peer-closed':
        if (this.#verbose)
          this.#print(`Peer ${event.address} port ${event.port} gone: ${event.reason}`);
        break;
      default:
        break;
    }
  }

  stopping(): void {
    if (!this.#terminal.isTerminal) return;
    // The terminal has written ^C.
    this.#lineShown = true;
    this.#print('Stopping; Ctrl-C again ends at once.');
  }

  checking(share: number, runningMs: number): void {
    this.#progress(checkingLine(share), runningMs);
  }

  checked({ verifiedBytes, wantedBytes, piecesHave, pieceCount, incompleteFiles }: Found): void {
    const shown = this.#terminal.isTerminal
      ? incompleteFiles.slice(0, MAX_INCOMPLETE_LINES)
      : incompleteFiles;
    for (const file of shown) {
      const pieces = counted(file.pieceCount, 'piece');
      this.#print(`${file.path}: ${file.piecesHave} of ${pieces} right`);
    }
    const more = incompleteFiles.length - shown.length;
    if (more > 0) this.#print(`${counted(more, 'more file')} like these; --json lists them.`);
    const share = formatShare(verifiedBytes, wantedBytes);
    this.#print(`${share} is right (${piecesHave} of ${counted(pieceCount, 'piece')}).`);
  }

  saved(path: string | undefined): void {
    if (path !== undefined) this.#print(`Saved ${path}`);
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
    const sent = `sent ${formatSize(uploadedBytes)}, ratio ${stats.ratio.toFixed(2)}; ${counted(this.#peersSeen, 'peer')}`;
    if (complete && this.#seed && downloadedBytes === 0) {
      this.#print(
        `Seeded ${formatSize(verifiedBytes)} for ${formatDuration(stats.runningMs)}: ${sent}`,
      );
      return;
    }
    this.#print(
      `${complete ? 'Done' : 'Stopped'}: ${formatSize(verifiedBytes)} of ${formatSize(wantedBytes)} (${formatShare(verifiedBytes, wantedBytes)}) after ${formatDuration(stats.runningMs)}`,
    );
    this.#print(
      `Received ${formatSize(downloadedBytes)} at ${mean} on average, ${formatSize(duplicateBytes)} twice, ${formatSize(rejectedBytes)} wrong; ${sent}`,
    );
  }

  failed(message: string): void {
    this.#clearLine();
    this.#terminal.error(`pieces: ${printable(message)}\n`);
  }

  #listening(infoHash: string, listening: Listening | undefined): void {
    if (!this.#verbose || this.#hasToldWhere) return;
    this.#hasToldWhere = true;
    const at = listening && `${listening.address ?? 'every address'}, port ${listening.port}`;
    this.#print(`Info-hash ${infoHash}${at ? `, listening on ${at}` : ''}`);
    if (listening?.dht !== undefined) this.#print(`DHT node on UDP port ${listening.dht.port}`);
  }

  #stateChanged(state: TorrentState): void {
    if (state === 'seeding' && this.#seed) this.#print('Complete: seeding. Ctrl-C ends.');
    if (state === 'downloading' && this.#isPaused) this.#print('The disk works again: going on.');
    this.#isPaused = state === 'paused';
  }

  #trackerAnswered(event: TorrentEvent & { readonly type: 'tracker' }): void {
    const { url, outcome, message = 'no answer', peers } = event;
    if (outcome === 'ok') {
      this.#failures.delete(url);
      if (this.#verbose) this.#print(`Tracker ${url}: ${counted(peers, 'peer')}`);
    } else this.#failed(`Tracker ${url}`, url, message);
  }

  #webSeedHeard(event: TorrentEvent & { readonly type: 'web-seed' }): void {
    const { index, url, outcome, message = '' } = event;
    const who = `Web seed ${url}`;
    if (outcome === 'serving') {
      this.#failures.delete(`${index}`);
      if (this.#verbose) this.#print(`${who} serves`);
    } else if (outcome === 'waiting') this.#failed(who, `${index}`, message);
    else if (outcome === 'no-file') this.#warn(`${who} lacks file ${event.fileIndex}: ${message}`);
    else this.#warn(`${who} is given up: ${message}`);
  }

  #failed(who: string, key: string, message: string): void {
    if (this.#failures.get(key) === message) return;
    this.#failures.set(key, message);
    this.#warn(`${who}: ${message}`);
  }

  #progress(line: string, runningMs: number): void {
    if (this.#terminal.isTerminal) {
      const width = Math.max(20, this.#terminal.columns - 1);
      this.#terminal.out(`\r\u001b[2K${line.slice(0, width)}`);
      this.#lineShown = true;
    } else if (this.#pace.isDue(line, runningMs)) {
      this.#terminal.out(`${line}\n`);
    }
  }

  #print(line: string): void {
    this.#clearLine();
    this.#terminal.out(`${printable(line)}\n`);
  }

  #warn(warning: string): void {
    this.#clearLine();
    this.#terminal.error(`Warning: ${printable(withFullStop(warning))}\n`);
  }

  #clearLine(): void {
    if (this.#lineShown) this.#terminal.out('\r\u001b[2K');
    this.#lineShown = false;
  }
}

/** `12.3%  34.5 MiB of 256.0 MiB  down 12.0 MiB/s  up 0 B/s  4 peers  18 s left`. */
export function progressLine(stats: TorrentStats): string {
  const webSeeds = stats.webSeedsServing;
  const peers = `${counted(stats.peersConnected, 'peer')}${webSeeds > 0 ? `  ${counted(webSeeds, 'web seed')}` : ''}`;
  if (stats.state === 'fetching-metadata') {
    const nodes = stats.dhtNodes === undefined ? '' : `  ${counted(stats.dhtNodes, 'DHT node')}`;
    return `Metadata ${formatShare(stats.metadataShare, 1)}  ${peers}${nodes}`;
  }
  if (stats.state === 'checking') return checkingLine(stats.checkedShare);
  if (stats.state === 'seeding') {
    return `Seeding  up ${formatRate(stats.upRate)}  sent ${formatSize(stats.uploadedBytes)}  ratio ${stats.ratio.toFixed(2)}  ${peers}`;
  }
  const isPaused = stats.state === 'paused';
  const left = stats.wantedBytes - stats.verifiedBytes;
  const timeLeft =
    stats.downRate > 0 ? `  ${formatDuration((left / stats.downRate) * 1000)} left` : '';
  return [
    formatShare(stats.verifiedBytes, stats.wantedBytes),
    `${formatSize(stats.verifiedBytes)} of ${formatSize(stats.wantedBytes)}`,
    // The rate is a mean over some time, in which it was not paused yet.
    `down ${formatRate(isPaused ? 0 : stats.downRate)}`,
    `up ${formatRate(stats.upRate)}`,
    `${peers}${isPaused ? '  paused' : timeLeft}`,
  ].join('  ');
}

function portLine(event: TorrentEvent & { readonly type: 'port-mapping' }): string {
  const { protocol, port, externalAddress, externalPort, gatewayProtocol } = event;
  const what = `${protocol.toUpperCase()} port ${port}`;
  if (event.outcome === 'failed') return `${what} is not passed on: ${event.message}`;
  const from = `port ${externalPort} of ${externalAddress ?? 'the router'}`;
  return `${what} is reached by ${from} (${gatewayProtocol})`;
}

/** How we have come to know a peer. */
function foundBy({ direction, source }: TorrentEvent & { readonly type: 'peer' }): string {
  if (direction === 'in') return 'came to us';
  const words: Readonly<Record<PeerSource, string>> = {
    user: 'named by you',
    tracker: 'found by a tracker',
    lsd: 'found in the local network',
    magnet: 'named by the magnet link',
    incoming: 'known from before',
    dht: 'found in the DHT',
    pex: 'named by another peer',
  };
  return words[source];
}

function checkingLine(share: number): string {
  return `Checking ${formatShare(share, 1)}`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
