// A file of 50 MB by /send, with its checksum: over a whole path, and over one that dies half-way.
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { VerifyContext, VerifyLine, VerifyResult } from '../line.ts';
import type { ChatClient } from './chat.ts';
import { connect, type Pair, PairLab, pairName } from './pair.ts';
import { complaint } from './tasks.ts';

const FILE_BYTES = 50_000_000;
const TIMEOUT_MS = 120_000;

interface Case {
  readonly pair: Pair;
  readonly delayMs?: number;
  readonly breaks?: (pairLab: PairLab) => Promise<void>;
  readonly what: string;
}

const CASES: readonly Case[] = [
  { pair: ['port-restricted', 'port-restricted'], what: 'a whole path' },
  {
    pair: ['port-restricted', 'symmetric'],
    what: 'a reboot half-way',
    breaks: async ({ lab }) => await lab.networks[1]!.reboot(),
  },
  {
    pair: ['port-restricted', 'full-cone'],
    what: 'a new address half-way, 30 ms',
    delayMs: 30,
    breaks: async ({ lab }) => await lab.networks[0]!.renumber(),
  },
  {
    pair: ['symmetric', 'symmetric'],
    what: "the server's restart half-way, by relay",
    breaks: async (pairLab) => await pairLab.restartServer('SIGKILL'),
  },
  { pair: ['udp-blocked', 'udp-blocked'], what: 'a whole path, by relay over TCP' },
];

async function* files(context: VerifyContext): AsyncGenerator<VerifyResult> {
  const content = randomBytes(FILE_BYTES);
  const source = join(context.folder, 'picture of the whole.bin');
  await writeFile(source, content);
  const digest = createHash('sha256').update(content).digest('hex');
  for (const one of context.quick ? CASES.slice(0, 2) : CASES) {
    const command = `/send FILE of 50 MB, ${pairName(one.pair)}, ${one.what}`;
    const into = join(context.folder, one.what.replaceAll(/\W/g, '-'));
    await mkdir(into);
    const pairLab = await PairLab.open(context, one.pair, { delayMs: one.delayMs ?? 0 });
    try {
      const { clients } = await connect(pairLab, 20_000, ['--save-to', into]);
      const begin = performance.now();
      clients[0].command(`/send ${source}`);
      if (one.breaks !== undefined) {
        await halfWay(into, clients[1]);
        await one.breaks(pairLab);
      }
      const name = await arrived(into, digest, clients[1]);
      const seconds = (performance.now() - begin) / 1000;
      for (const client of clients) await client.quit();
      yield {
        command,
        figure: `${name} has its checksum after ${seconds.toFixed(1)} s, ${(FILE_BYTES / seconds / 1e6).toFixed(1)} MB/s`,
        pass: true,
      };
    } catch (error) {
      yield { command, figure: complaint(error), pass: false };
    } finally {
      await pairLab.close();
    }
  }
}

/** A fixed sequence of bytes without a pattern. */
function randomBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let x = 2_463_534_242;
  for (let i = 0; i < length; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    bytes[i] = x;
  }
  return bytes;
}

async function savedFiles(folder: string): Promise<{ name: string; lengthBytes: number }[]> {
  const found = [];
  // The folder of what is not whole yet may go meanwhile.
  const names = await readdir(folder, { recursive: true }).catch((): string[] => []);
  for (const name of names) {
    const about = await stat(join(folder, name)).catch(() => undefined);
    if (about !== undefined) found.push({ name, lengthBytes: about.size });
  }
  return found;
}

async function halfWay(folder: string, client: ChatClient): Promise<void> {
  const end = performance.now() + TIMEOUT_MS;
  const isHalf = async () => {
    const sizes = (await savedFiles(folder)).map(({ lengthBytes }) => lengthBytes);
    return Math.max(0, ...sizes) > FILE_BYTES * 0.4;
  };
  while (!(await isHalf())) {
    if (performance.now() > end) throw new Error(`no half of the file: ${client.tail()}`);
    await sleep(20);
  }
}

/** The name of the file once a whole one with this digest is there under a name without a mark of being partial. */
async function arrived(folder: string, digest: string, client: ChatClient): Promise<string> {
  const end = performance.now() + TIMEOUT_MS;
  for (;;) {
    for (const { name, lengthBytes } of await savedFiles(folder)) {
      if (lengthBytes !== FILE_BYTES || !name.endsWith('.bin')) continue;
      const saved = await readFile(join(folder, name));
      if (createHash('sha256').update(saved).digest('hex') === digest) return name;
    }
    if (performance.now() > end || !client.child.running) {
      const now = (await savedFiles(folder)).map((file) => `${file.name} ${file.lengthBytes}`);
      throw new Error(
        `the file did not arrive; there is ${now.join(', ') || 'nothing'}: ${client.tail()}`,
      );
    }
    await sleep(50);
  }
}

export const filesLine: VerifyLine = {
  name: 'files',
  title: 'a file of 50 MB, also when the path dies half-way',
  needs: ['ip', 'nft', 'conntrack', 'nsenter'],
  run: files,
};
