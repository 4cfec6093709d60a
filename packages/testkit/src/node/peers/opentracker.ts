// opentracker: a tracker over HTTP and UDP. Debian's build answers only for the info-hashes on its white list.
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Child } from '../child.ts';

export interface RunningTracker {
  readonly httpUrl: string;
  readonly udpUrl: string;
  stop(): Promise<void>;
}

export interface OpentrackerOptions {
  readonly address: string;
  readonly port: number;
  /** A folder for its chroot; made readable to the user it changes to. */
  readonly folder: string;
  /** Lower-case hex, 40 digits each. */
  readonly infoHashes: readonly string[];
}

export async function startOpentracker(options: OpentrackerOptions): Promise<RunningTracker> {
  await mkdir(options.folder, { recursive: true });
  await chmod(options.folder, 0o755);
  await writeFile(
    join(options.folder, 'whitelist'),
    options.infoHashes.map((hash) => `${hash}\n`).join(''),
  );
  const child = new Child('opentracker', 'opentracker', [
    '-i',
    options.address,
    '-p',
    `${options.port}`,
    '-P',
    `${options.port}`,
    '-d',
    options.folder,
    '-w',
    '/whitelist',
  ]);
  const httpUrl = `http://${options.address}:${options.port}/announce`;
  const end = performance.now() + 5_000;
  for (;;) {
    const answered = await fetch(httpUrl.replace('announce', 'stats')).then(
      (response) => response.text().then(() => true),
      () => false,
    );
    if (answered) break;
    if (!child.running || performance.now() > end) {
      throw new Error(`opentracker does not answer: ${child.output}`);
    }
    await sleep(50);
  }
  return {
    httpUrl,
    udpUrl: `udp://${options.address}:${options.port}/announce`,
    stop: async () => {
      await child.stop();
    },
  };
}
