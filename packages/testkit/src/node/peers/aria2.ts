// aria2 as a seed or a downloader.
import { Child } from '../child.ts';
import type { PeerProgram, RunningPeer, TransferOptions } from './peer-program.ts';

function start(options: TransferOptions, seed: boolean): RunningPeer {
  const limit =
    options.uploadLimit === undefined ? [] : [`--max-overall-upload-limit=${options.uploadLimit}`];
  const child = new Child('aria2c', 'aria2c', [
    '--no-conf',
    // UDP trackers are asked only while its DHT is on.
    '--enable-dht=true',
    ...(options.dht ?? []).slice(0, 1).map((node) => `--dht-entry-point=${node}`),
    `--dht-file-path=${options.stateFolder}-dht.dat`,
    `--dht-listen-port=${options.port}`,
    '--enable-dht6=false',
    '--bt-enable-lpd=false',
    '--enable-peer-exchange=false',
    '--seed-time=10',
    '--seed-ratio=0',
    '--file-allocation=none',
    '--summary-interval=1',
    '--allow-overwrite=true',
    ...(seed ? ['--check-integrity=true'] : []),
    '--bt-tracker-interval=5',
    `--interface=${options.address}`,
    `--listen-port=${options.port}`,
    `--dir=${options.folder}`,
    ...limit,
    options.torrent,
  ]);
  // A magnet link is two downloads, of which the first is the metadata.
  const seeding = /SEED\(|SEEDING|Download complete: (?!\[MEMORY\])/;
  return {
    name: 'aria2',
    ready: async (timeoutMs) => {
      await child.waitFor(seeding, timeoutMs);
    },
    complete: async (timeoutMs) => {
      await child.waitFor(seeding, timeoutMs);
    },
    stop: async () => {
      await child.stop();
    },
    output: () => child.output,
  };
}

export const aria2: PeerProgram = {
  name: 'aria2',
  supportsV2: false,
  makesEmptyFiles: true,
  seed: async (options) => start(options, true),
  download: async (options) => start(options, false),
};
