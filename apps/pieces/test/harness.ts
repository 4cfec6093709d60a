// Runs the program in this process, with everything it says kept; and somebody to download from.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { openSession, type SessionOptions } from '@bt/engine/node';
import { type CreateOptions, createTorrent } from '@bt/metainfo/node';
import { afterEach, beforeEach, onTestFinished, vi } from 'vitest';
import { parseOptions } from '../src/options.ts';
import { run } from '../src/run.ts';

export const KiB = 1024;
export const LOCALHOST = '127.0.0.1';

/** A folder of its own for every test of the file, with the program's state in it. */
export function useTempFolder(): { readonly path: string } {
  const folder = { path: '' };
  beforeEach(async () => {
    folder.path = await mkdtemp(join(tmpdir(), 'bt-pieces-'));
    vi.stubEnv('XDG_STATE_HOME', join(folder.path, '.state'));
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await rm(folder.path, { recursive: true, force: true });
  });
  return folder;
}

export interface JsonEvent {
  readonly event: string;
  readonly [field: string]: unknown;
}

export interface Said {
  readonly code: number;
  readonly out: string;
  readonly error: string;
  /** What `--json` printed. */
  readonly events: readonly JsonEvent[];
  /** Bytes on standard output. */
  readonly written: Uint8Array;
}

export interface Watching {
  readonly interrupted?: AbortSignal;
  /** Called while the program prints the event. */
  readonly onEvent?: (event: JsonEvent) => void;
}

/** `pieces ...args`, every socket on loopback. */
export async function pieces(args: readonly string[], watching: Watching = {}): Promise<Said> {
  const options = parseOptions(['--bind', LOCALHOST, ...args], '1.2.3');
  if ('text' in options) throw new Error(options.text);
  let out = '';
  let error = '';
  const events: JsonEvent[] = [];
  const written: Uint8Array[] = [];
  const code = await run(
    options,
    {
      isTerminal: false,
      columns: 80,
      out: (text) => {
        out += text;
        if (options.output !== 'json') return;
        const event = JSON.parse(text) as JsonEvent;
        events.push(event);
        watching.onEvent?.(event);
      },
      error: (text) => {
        error += text;
      },
      outBytes: (bytes) => void written.push(bytes),
    },
    watching.interrupted ?? new AbortController().signal,
  );
  return { code, out, error, events, written: Buffer.concat(written) };
}

export interface Shared {
  /** The .torrent's path, and its bytes. */
  readonly file: string;
  readonly bytes: Uint8Array;
  /** The folder with the original under the torrent's name. */
  readonly dir: string;
  readonly originals: ReadonlyMap<string, Buffer>;
}

/** Bytes that no two pieces have in common. */
function content(lengthBytes: number, salt: number): Buffer {
  const bytes = Buffer.alloc(lengthBytes);
  for (let i = 0; i < lengthBytes; i += 1) bytes[i] = (i * 31 + (i >>> 8) * 17 + salt * 101) & 0xff;
  return bytes;
}

/** Writes files of these lengths below `folder/original/tree`, and `folder/tree.torrent`. */
export async function share(
  folder: string,
  lengths: Readonly<Record<string, number>>,
  options: Partial<CreateOptions> = {},
): Promise<Shared> {
  const dir = join(folder, 'original');
  const originals = new Map<string, Buffer>();
  for (const [index, [name, length]] of Object.entries(lengths).entries()) {
    const path = join(dir, 'tree', name);
    const bytes = content(length, index);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, bytes);
    originals.set(name, bytes);
  }
  const input = join(dir, 'tree');
  const created = await createTorrent({
    input,
    pieceLength: 16 * KiB,
    isCallerBusy: true,
    threads: 1,
    ...options,
  });
  const file = join(folder, 'tree.torrent');
  await writeFile(file, created.bytes);
  return { file, bytes: created.bytes, dir, originals };
}

/** Seeds what is shared until the test is over; the arguments that make `pieces` dial the seed. */
export async function seed({ bytes, dir }: Shared, options: SessionOptions = {}) {
  const session = await openSession({ bindAddress: LOCALHOST, resumeDir: null, ...options });
  onTestFinished(() => session.stop());
  const handle = await session.add(bytes, { dir, trackers: false });
  await handle.complete;
  return { handle, peer: ['--peer', `${LOCALHOST}:${session.port}`] };
}
