// `pieces dht put`: keeps an item of BEP 44, one that can't change or one under a key.
import { createReadStream } from 'node:fs';
import { decode, encode } from '@bt/bencode';
import {
  DhtError,
  type Item,
  immutableTarget,
  isMutable,
  itemTarget,
  KRPC_ERROR,
  type OperationResults,
  signItem,
} from '@bt/krpc-dht';
import { type DhtNode, nodeEd25519, openKeyFile } from '@bt/krpc-dht/node';
import { toHex } from '@bt/metainfo';
import { EXIT, type ExitCode, Failure } from '../exit-codes.ts';
import type { Terminal } from '../view/view.ts';
import type { PutOptions } from './dht-options.ts';
import { factsOf } from './item-text.ts';

/** BEP 44. */
const MAX_VALUE_BYTES = 1000;

/** An item, and what it takes the place of. */
interface Proposal {
  readonly item: Item;
  readonly compareSequence?: bigint | undefined;
}

export async function putItem(
  node: DhtNode,
  options: PutOptions,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<ExitCode> {
  const value = await readValue(options);
  const { keyFile, json } = options;
  const proposal =
    keyFile === undefined
      ? { item: { value } }
      : await signed(node, { ...options, keyFile }, value, terminal, signal);
  const { item, compareSequence } = proposal;
  const { stored, refusedWith } = await put(node, proposal, signal);
  if (json) {
    terminal.out(`${JSON.stringify({ event: 'put', stored, ...factsOf(item) })}\n`);
    return EXIT.done;
  }
  terminal.out(`${toHex(isMutable(item) ? item.publicKey : immutableTarget(value))}\n`);
  const number = isMutable(item) ? `, as number ${item.sequence}` : '';
  const instead = compareSequence === undefined ? '' : ` in the place of ${compareSequence}`;
  terminal.error(`Kept by ${stored} nodes under ${toHex(itemTarget(item))}${number}${instead}.\n`);
  if (refusedWith !== undefined) {
    terminal.error(`Not by all of them. ${reasonOf(refusedWith)}\n`);
  }
  return EXIT.done;
}

async function signed(
  node: DhtNode,
  options: PutOptions & { readonly keyFile: string },
  value: Uint8Array,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<Proposal> {
  const { seed, isNew } = await keyOf(options.keyFile);
  if (isNew)
    terminal.error(`Made a new key: ${options.keyFile}. Who has it can change the item.\n`);
  const salt = options.salt === undefined ? undefined : new TextEncoder().encode(options.salt);
  let { sequence, compareSequence } = options;
  if (sequence === undefined) {
    const publicKey = nodeEd25519.publicKey(seed);
    const current = isNew ? undefined : await node.get({ publicKey, salt }, { signal });
    const last = current !== undefined && isMutable(current) ? current.sequence : undefined;
    sequence = (last ?? 0n) + 1n;
    compareSequence ??= last;
  }
  return { item: signItem(nodeEd25519, seed, { value, sequence, salt }), compareSequence };
}

async function put(
  node: DhtNode,
  { item, compareSequence }: Proposal,
  signal: AbortSignal,
): Promise<OperationResults['put']> {
  try {
    return await node.put(item, { signal, compareSequence });
  } catch (error) {
    if (!(error instanceof DhtError)) throw error;
    if (error.code === 'not-stored') {
      throw new Failure(EXIT.nobody, 'No node keeps it.', { cause: error });
    }
    if (error.code !== 'krpc-error') throw error;
    throw new Failure(EXIT.nobody, reasonOf(error.krpcCode ?? 0), { cause: error });
  }
}

/** Why nodes refuse an item: a sentence. */
function reasonOf(krpcCode: number): string {
  const reasons: Readonly<Record<number, string>> = {
    [KRPC_ERROR.casMismatch]: 'Another item is there than the one that --cas names.',
    [KRPC_ERROR.sequenceTooLow]: 'An item with a higher number is there: leave --seq away.',
  };
  return reasons[krpcCode] ?? `The nodes refuse it with error ${krpcCode}.`;
}

async function readValue({ text, file, bencoded }: PutOptions): Promise<Uint8Array> {
  const source = text === '-' ? text : file;
  const bytes = source === undefined ? new TextEncoder().encode(text) : await readBytes(source);
  const value = bencoded ? bytes : encode(bytes);
  if (value.length > MAX_VALUE_BYTES) {
    const message = `The value has ${value.length} bytes when bencoded; ${MAX_VALUE_BYTES} are kept at most.`;
    throw new Failure(EXIT.usage, message);
  }
  if (bencoded && !isBencoded(value)) throw new Failure(EXIT.usage, 'The value is not bencoded.');
  return value;
}

/** `-` is standard input. No more is read than it takes to say that it is too much. */
async function readBytes(file: string): Promise<Uint8Array> {
  const stream = file === '-' ? process.stdin : createReadStream(file);
  const chunks: Uint8Array[] = [];
  let lengthBytes = 0;
  try {
    for await (const chunk of stream) {
      chunks.push(chunk);
      lengthBytes += chunk.length;
      if (lengthBytes > MAX_VALUE_BYTES) break;
    }
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new Failure(EXIT.disk, `${file} can't be read (${code}).`, { cause });
  }
  if (lengthBytes > MAX_VALUE_BYTES) {
    const message = `${file} has more than the ${MAX_VALUE_BYTES} bytes that are kept at most.`;
    throw new Failure(EXIT.usage, message);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

async function keyOf(file: string) {
  try {
    return await openKeyFile(file);
  } catch (cause) {
    if (cause instanceof DhtError) throw new Failure(EXIT.usage, `${cause.message}.`, { cause });
    const { code } = cause as NodeJS.ErrnoException;
    throw new Failure(EXIT.disk, `The key file ${file} can't be read or made (${code}).`, {
      cause,
    });
  }
}

function isBencoded(value: Uint8Array): boolean {
  try {
    decode(value);
    return true;
  } catch {
    return false;
  }
}
