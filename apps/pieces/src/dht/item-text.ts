// Items of BEP 44 as people and programs read them.
import { decode } from '@bt/bencode';
import { type Item, isMutable, itemTarget } from '@bt/krpc-dht';
import { toHex } from '@bt/metainfo';

/** What a byte string says; undefined for a value of another kind, and for bytes that are no UTF-8. */
export function textOf(value: Uint8Array): string | undefined {
  const bytes = decode(value);
  if (!(bytes instanceof Uint8Array)) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** An item for `--json`. */
export function factsOf(item: Item): object {
  const { value } = item;
  const facts = { target: toHex(itemTarget(item)), text: textOf(value), bencoded: toHex(value) };
  if (!isMutable(item)) return facts;
  const { publicKey, salt, sequence, signature } = item;
  return {
    ...facts,
    publicKey: toHex(publicKey),
    salt: salt.length === 0 ? undefined : toHex(salt),
    // A number of 63 bits is none of JavaScript's.
    sequence: `${sequence}`,
    signature: toHex(signature),
  };
}
