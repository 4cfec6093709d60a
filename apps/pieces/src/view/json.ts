// `--json`: one event a line. The fields are documented in the README.
import type { TorrentEvent, TorrentStats } from '@bt/engine';
import { type Magnet, type Metainfo, toHex } from '@bt/metainfo';
import type { Target } from '../pointer.ts';
import { countFiles } from './content.ts';
import type { Found, Listening, Terminal, View } from './view.ts';

export class JsonView implements View {
  #terminal: Terminal;
  #seed: boolean;

  constructor(terminal: Terminal, options: { readonly seed: boolean }) {
    this.#terminal = terminal;
    this.#seed = options.seed;
  }

  pointer(publicKey: Uint8Array, target: Target | undefined): void {
    this.#print('pointer', {
      publicKey: toHex(publicKey),
      infoHash: target && toHex(target.infoHash),
      // A number of 63 bits is none of JavaScript's.
      sequence: target && `${target.sequence}`,
    });
  }

  searching({ name, infoHashV1, infoHashV2 }: Magnet, listening: Listening): void {
    this.#print('magnet', {
      name,
      infoHash: infoHashV1 && toHex(infoHashV1),
      infoHashV2: infoHashV2 && toHex(infoHashV2),
      address: listening.address,
      port: listening.port,
      dhtPort: listening.dht?.port,
    });
  }

  started({ info }: Metainfo, listening?: Listening): void {
    const { name, version, geometry, files, warnings, renamedCount } = info;
    this.#print('started', {
      name,
      infoHash: toHex(info.infoHash),
      version,
      totalBytes: files.contentLength,
      pieceCount: geometry.pieceCount,
      fileCount: countFiles(files),
      renamedCount,
      address: listening?.address,
      port: listening?.port,
      dhtPort: listening?.dht?.port,
    });
    for (const warning of warnings) this.#print('renamed', warning);
  }

  event(event: TorrentEvent): void {
    if (event.type === 'progress' || event.type === 'done') {
      this.#print(event.type, event.stats);
    } else if (event.type === 'state') {
      this.#print('state', { state: event.state });
      if (event.state === 'seeding' && this.#seed) this.#print('seeding', {});
    } else if (event.type === 'disk-error' || event.type === 'save-failed') {
      const { type, error, ...facts } = event;
      const { code, message, path } = error;
      this.#print(type, { ...facts, code, message, path });
    } else if (event.type !== 'stopped') {
      const { type, ...facts } = event;
      this.#print(type, facts);
    }
  }

  stopping(): void {}

  checking(checkedShare: number, runningMs: number): void {
    this.#print('progress', { state: 'checking', checkedShare, runningMs });
  }

  checked(found: Found): void {
    const { verifiedBytes, wantedBytes, piecesHave, pieceCount, incompleteFiles } = found;
    const share = wantedBytes === 0 ? 1 : verifiedBytes / wantedBytes;
    const counts = { share, verifiedBytes, wantedBytes, piecesHave, pieceCount };
    this.#print('checked', { ...counts, incompleteFiles });
  }

  saved(path: string | undefined): void {
    this.#print('saved-torrent', { path });
  }

  finished(stats: TorrentStats, complete: boolean): void {
    this.#print('stopped', { complete, ...stats });
  }

  failed(message: string, exitCode: number): void {
    this.#print('error', { message, exitCode });
  }

  #print(event: string, facts: object): void {
    this.#terminal.out(`${JSON.stringify({ event, ...facts })}\n`);
  }
}
