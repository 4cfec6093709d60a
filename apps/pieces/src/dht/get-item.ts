// `pieces dht get`: an item of BEP 44, by its target or by its key.
import type { DhtNode } from '@bt/krpc-dht/node';
import { EXIT, type ExitCode, Failure } from '../exit-codes.ts';
import { printable } from '../view/printable.ts';
import type { Terminal } from '../view/view.ts';
import { type GetOptions, TARGET_BYTES } from './dht-options.ts';
import { factsOf, textOf } from './item-text.ts';

export async function getItem(
  node: DhtNode,
  { key, salt, json, bencoded }: GetOptions,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<ExitCode> {
  const isTarget = key.length === TARGET_BYTES;
  const saltBytes = salt === undefined ? undefined : new TextEncoder().encode(salt);
  const wanted = isTarget ? { target: key } : { publicKey: key, salt: saltBytes };
  const item = await node.get(wanted, { signal });
  if (item === undefined) throw new Failure(EXIT.nobody, 'Nobody has this item.');
  if (json) terminal.out(`${JSON.stringify({ event: 'item', ...factsOf(item) })}\n`);
  else terminal.out(`${readable(item.value, bencoded)}\n`);
  return EXIT.done;
}

/** Strangers choose values: their control characters don't reach the terminal, line breaks aside. */
function readable(value: Uint8Array, bencoded: boolean): string {
  const text = bencoded ? undefined : textOf(value);
  const shown = text ?? Buffer.from(value).toString('latin1');
  return shown.split('\n').map(printable).join('\n');
}
