// Our own client, the built app, as a seed or a downloader.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Child } from '../child.ts';
import type { PeerProgram, RunningPeer, TransferOptions } from './peer-program.ts';

export const PIECES_CLI = fileURLToPath(
  new URL('../../../../../apps/pieces/dist/cli.js', import.meta.url),
);

/** An event that `pieces --json` printed. */
export interface PiecesEvent {
  readonly event: string;
  readonly [field: string]: unknown;
}

export interface RunningPieces extends RunningPeer {
  readonly child: Child;
  events(): PiecesEvent[];
}

/** Starts `pieces` with `--json` on one torrent. */
export function startPieces(
  options: TransferOptions,
  extra: readonly string[] = [],
): RunningPieces {
  const limit = options.uploadLimit === undefined ? [] : ['--max-up', `${options.uploadLimit}`];
  const child = new Child(
    'pieces',
    process.execPath,
    [
      '--unhandled-rejections=strict',
      PIECES_CLI,
      '--json',
      options.torrent.startsWith('magnet:') ? '-m' : '-t',
      options.torrent,
      '--dir',
      options.folder,
      '--bind',
      options.address,
      '--listen',
      `${options.port}`,
      ...(options.peers ?? []).flatMap((peer) => ['--peer', peer]),
      ...(options.dht === undefined
        ? ['--no-dht']
        : ['-d', options.dht.join(','), '-p', `${options.port}`]),
      ...limit,
      ...extra,
    ],
    // State is kept apart for each instance, as it would be on machines of their own.
    { env: { XDG_STATE_HOME: join(options.stateFolder, 'state') } },
  );
  return {
    name: 'pieces',
    child,
    ready: async (timeoutMs) => {
      await child.waitFor(/"event":"(seeding|done)"/, timeoutMs);
    },
    complete: async (timeoutMs) => {
      await child.waitFor(/"event":"done"/, timeoutMs);
    },
    stop: async () => {
      if (child.running) child.signal('SIGINT');
      await child.stop(5_000);
    },
    output: () => child.output,
    events: () => readEvents(child.output),
  };
}

function readEvents(output: string): PiecesEvent[] {
  return output.split('\n').flatMap((line) => {
    try {
      return [JSON.parse(line) as PiecesEvent];
    } catch {
      return [];
    }
  });
}

export const pieces: PeerProgram = {
  name: 'pieces',
  supportsV2: true,
  makesEmptyFiles: true,
  seed: async (options) => startPieces(options, ['--seed']),
  download: async (options) => startPieces(options),
};
