// `mktorrent publish`: makes the item under a key point to a torrent (BEP 46). Whoever follows the key, by a magnet link that does not
// change, gets this torrent from then on.
import { resolve } from 'node:path';
import { DhtError, KRPC_ERROR } from '@bt/krpc-dht';
import { createDht, type DhtNode, nodeEd25519, openKeyFile } from '@bt/krpc-dht/node';
import { formatMagnet, toHex } from '@bt/metainfo';
import type { PublishArguments } from './arguments.ts';
import { EXIT, ExitError, usageError } from './exit.ts';
import { readTorrent } from './read-torrent.ts';
import type { Surroundings } from './run.ts';
import { printable } from './text.ts';

export async function publish(
  { torrent, key, salt: saltText, isJson, ...network }: PublishArguments,
  { stdout, stderr, folder, signal }: Surroundings,
): Promise<number> {
  const { info } = await readTorrent(resolve(folder, torrent));
  const { infoHashV1, name, isPrivate } = info;
  if (infoHashV1 === undefined) {
    throw wrongUsage(`${torrent} is of BitTorrent v2 alone, which a key can't point to (BEP 46).`);
  }
  if (isPrivate) {
    throw wrongUsage(`${torrent} is private: nobody who has the key alone could find its peers.`);
  }
  const { seed, isNew } = await readKey(resolve(folder, key));
  if (isNew) stderr.write(`Made a new key: ${key}. Who has it can publish in your place.\n`);
  const salt = saltText === undefined ? undefined : new TextEncoder().encode(saltText);
  const node = await openNode(network, (message) =>
    stderr.write(`Warning: ${printable(message)}.\n`),
  );
  try {
    const timeout = AbortSignal.timeout(network.timeoutMs);
    const options = { salt, signal: AbortSignal.any([signal, timeout]) };
    const { stored, sequence } = await node.publishTorrent(seed, infoHashV1, options);
    const publicKey = nodeEd25519.publicKey(seed);
    const magnet = formatMagnet({ publicKey, ...(salt === undefined ? {} : { salt }) });
    const infoHash = toHex(infoHashV1);
    if (isJson) {
      const facts = { name, infoHash, publicKey: toHex(publicKey), sequence: `${sequence}` };
      stdout.write(`${JSON.stringify({ ...facts, stored, magnet })}\n`);
    } else {
      stdout.write(`${magnet}\n`);
      stderr.write(
        `${printable(name)}, number ${sequence} under this key: kept by ${stored} nodes.\n`,
      );
    }
    return EXIT.done;
  } catch (error) {
    if (!signal.aborted) throw networkFailure(error);
    const rest = isNew ? ` The new key ${key} stays.` : '';
    const message = `Interrupted; nodes may point to the torrent all the same.${rest}`;
    throw new ExitError(EXIT.interrupted, message, error);
  } finally {
    await node.close();
  }
}

function wrongUsage(message: string): ExitError {
  return usageError(message, 'mktorrent publish');
}

async function readKey(path: string) {
  try {
    return await openKeyFile(path);
  } catch (error) {
    if (error instanceof DhtError) throw wrongUsage(`${error.message}.`);
    const { code } = error as NodeJS.ErrnoException;
    throw new ExitError(EXIT.disk, `The key file ${path} can't be read or made (${code}).`, error);
  }
}

async function openNode(
  network: Pick<PublishArguments, 'bindAddress' | 'port' | 'bootstrap'>,
  warn: (message: string) => void,
): Promise<DhtNode> {
  const { bindAddress: bind, port, bootstrap } = network;
  try {
    return await createDht({
      ...{ bind, port, bootstrap, readOnly: true },
      // That nobody answers is the end, which tells of it.
      onWarning: ({ code, message }) => {
        if (code === 'entry') warn(message);
      },
    });
  } catch (error) {
    if (!(error instanceof DhtError)) throw error;
    const { code } = (error.cause ?? {}) as NodeJS.ErrnoException;
    const why: Readonly<Record<string, string>> = {
      EADDRINUSE: `Another program uses UDP port ${port}: name another one with -p, or none for a free one.`,
      EACCES: `You have no permission to use UDP port ${port}: name one above 1023 with -p.`,
      EADDRNOTAVAIL: `${bind} is no address of this machine: name one of its own with --bind.`,
    };
    throw wrongUsage(why[code ?? ''] ?? `${error.message}.`);
  }
}

/** What went wrong in the DHT, and what to do about it. */
export function networkFailure(error: unknown): unknown {
  if (error instanceof DOMException && error.name === 'TimeoutError') {
    const message = 'The DHT took too long; wait longer with --timeout.';
    return new ExitError(EXIT.nobody, message, error);
  }
  if (!(error instanceof DhtError)) return error;
  const { code, krpcCode } = error;
  const isOvertaken = krpcCode === KRPC_ERROR.casMismatch || krpcCode === KRPC_ERROR.sequenceTooLow;
  const message =
    code === 'no-nodes'
      ? 'No node of the DHT has answered: name others with -d HOST:PORT.'
      : isOvertaken
        ? 'Something else has been published under this key meanwhile: publish again.'
        : `The DHT did not take it: ${error.message}.`;
  return new ExitError(EXIT.nobody, message, error);
}
