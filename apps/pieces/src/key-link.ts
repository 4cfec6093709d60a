// A magnet link of a key (BEP 46): what it points to is downloaded, and with `--seed` what it points to later.
import type { DhtNode } from '@bt/krpc-dht/node';
import type { Magnet } from '@bt/metainfo';
import { EXIT, type ExitCode, Failure } from './exit-codes.ts';
import type { Options } from './options.ts';
import { hasEntries, isDhtSilent } from './peer-sources.ts';
import { type Target, TorrentPointer } from './pointer.ts';
import type { View } from './view/view.ts';

/** A magnet link that names a key and no torrent. */
export type KeyLink = Magnet & { readonly publicKey: Uint8Array };

export function isKeyLink(magnet: Magnet): magnet is KeyLink {
  const { infoHashV1, infoHashV2, publicKey } = magnet;
  return publicKey !== undefined && infoHashV1 === undefined && infoHashV2 === undefined;
}

export interface Surroundings {
  readonly options: Options;
  readonly view: View;
  readonly interrupted: AbortSignal;
}

/** @param get gets one torrent, until it is done or the signal says that another one has taken its place */
export async function followKey(
  link: KeyLink,
  node: DhtNode | undefined,
  { options, view, interrupted }: Surroundings,
  get: (magnet: Magnet, replaced: AbortSignal) => Promise<ExitCode>,
): Promise<ExitCode> {
  if (node === undefined) {
    throw new Failure(EXIT.usage, 'A link of a key leads through the DHT: leave --no-dht away.');
  }
  if (!hasEntries(options)) view.event({ type: 'warning', message: NOBODY_TO_ASK });
  const pointer = new TorrentPointer(node, link.publicKey, link.salt);
  view.pointer(link.publicKey, undefined);
  let target = await find(pointer, node, options, interrupted);
  while (target !== undefined) {
    view.pointer(link.publicKey, target);
    const ended = new AbortController();
    const replaced = new AbortController();
    const isWatched = options.seed && !options.metadataOnly && !options.checkOnly;
    const update = isWatched
      ? pointer.next(target, options.updateMs, AbortSignal.any([interrupted, ended.signal])).then(
          (next) => {
            replaced.abort();
            return next;
          },
          () => undefined,
        )
      : undefined;
    let exitCode: ExitCode;
    try {
      exitCode = await get({ ...link, infoHashV1: target.infoHash }, replaced.signal);
    } finally {
      ended.abort();
    }
    target = await update;
    if (target === undefined) return exitCode;
  }
  return EXIT.interrupted;
}

const NOBODY_TO_ASK = 'there is nobody to ask in the DHT: name nodes with -d';

/** Undefined when it is interrupted. */
async function find(
  pointer: TorrentPointer,
  node: DhtNode,
  { timeoutMs }: Options,
  interrupted: AbortSignal,
): Promise<Target | undefined> {
  const late = timeoutMs === 0 ? [] : [AbortSignal.timeout(timeoutMs)];
  try {
    return await pointer.find(AbortSignal.any([interrupted, ...late]));
  } catch (cause) {
    if (interrupted.aborted) return undefined;
    if (!late.some(({ aborted }) => aborted)) throw cause;
    const time = `for ${timeoutMs / 1000} s`;
    const message = isDhtSilent(node)
      ? `No node of the DHT has answered ${time}: name others with -d, or wait longer with --timeout.`
      : `Nobody in the DHT knows what the key points to, ${time}; name other nodes with -d, or wait longer with --timeout.`;
    throw new Failure(EXIT.nobody, message, { cause });
  }
}
