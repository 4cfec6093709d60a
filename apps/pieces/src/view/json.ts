// `--json`: one event a line. The fields are documented in the README.
import type { TorrentEvent, TorrentStats } from '@bt/engine';
import type { TorrentHandle } from '@bt/engine/node';
import type { Terminal, View } from './view.ts';

export class JsonView implements View {
  #terminal: Terminal;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  started(torrent: TorrentHandle, address: string | undefined, port: number): void {
    const { metainfo, infoHashHex, name } = torrent;
    const { version, geometry, files, warnings } = metainfo.info;
    this.#print('started', {
      name,
      infoHash: infoHashHex,
      version,
      totalBytes: geometry.totalLength,
      pieceCount: geometry.pieceCount,
      fileCount: files.count,
      address,
      port,
    });
    for (const warning of warnings) this.#print('renamed', warning);
  }

  event(event: TorrentEvent): void {
    if (event.type === 'progress' || event.type === 'done') {
      this.#print(event.type, event.stats);
    } else if (event.type === 'state') {
      this.#print('state', { state: event.state });
      if (event.state === 'seeding') this.#print('seeding', {});
    } else if (event.type === 'disk-error') {
      const { code, message, path } = event.error;
      this.#print('disk-error', { code, message, path });
    } else if (event.type !== 'stopped') {
      const { type, ...facts } = event;
      this.#print(type, facts);
    }
  }

  stopping(): void {}

  checked(stats: TorrentStats): void {
    const { verifiedBytes, wantedBytes, piecesHave, pieceCount } = stats;
    const share = wantedBytes === 0 ? 1 : verifiedBytes / wantedBytes;
    this.#print('checked', { share, verifiedBytes, wantedBytes, piecesHave, pieceCount });
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
