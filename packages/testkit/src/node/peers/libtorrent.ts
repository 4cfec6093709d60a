// libtorrent (Debian's python3-libtorrent) as a seed or a downloader.
import { fileURLToPath } from 'node:url';
import { Child } from '../child.ts';
import { PYTHON } from '../programs.ts';
import type { PeerProgram, RunningPeer, TransferOptions } from './peer-program.ts';

const SCRIPT = fileURLToPath(new URL('../../../python/libtorrent_peer.py', import.meta.url));

function start(options: TransferOptions, seed: boolean): RunningPeer {
  const child = new Child('libtorrent', PYTHON, [
    SCRIPT,
    JSON.stringify({
      torrent: options.torrent,
      folder: options.folder,
      address: options.address,
      port: options.port,
      upload_limit: options.uploadLimit ?? 0,
      peers: options.peers ?? [],
      dht: options.dht,
      seed,
    }),
  ]);
  return {
    name: 'libtorrent',
    ready: async (timeoutMs) => {
      await child.waitFor(/"state"/, timeoutMs);
    },
    complete: async (timeoutMs) => {
      await child.waitFor(/"complete": true/, timeoutMs);
    },
    stop: async () => {
      await child.stop();
    },
    output: () => child.output,
  };
}

export const libtorrent: PeerProgram = {
  name: 'libtorrent',
  supportsV2: true,
  makesEmptyFiles: true,
  seed: async (options) => start(options, true),
  download: async (options) => start(options, false),
};
