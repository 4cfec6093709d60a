// Operations that are about items (BEP 44): get and put, immutable and mutable.
import { PUBLIC_KEY_BYTES, SIGNATURE_BYTES } from '../constants.ts';
import { DhtError } from '../errors.ts';
import { type Item, immutableTarget, isMutable, mutableTarget, validateItem } from '../item.ts';
import type { Lookup } from '../lookup.ts';
import type { Message } from '../message.ts';
import { equalIds } from '../node-id.ts';
import { StoreRound } from '../store-round.ts';
import { type OperationContext, SearchOperation } from './operation.ts';

/** What is looked for: an item by its target, or a mutable one by its key and salt. With a salt only the latter can be verified. */
export type ItemKey =
  | { readonly target: Uint8Array }
  | { readonly publicKey: Uint8Array; readonly salt?: Uint8Array | undefined };

export function targetOf(key: ItemKey): Uint8Array {
  return 'target' in key ? key.target : mutableTarget(key.publicKey, key.salt);
}

/** Finds an item: an immutable one until somebody has it, of a mutable one the newest that the nearest nodes have. */
export class GetOperation extends SearchOperation {
  readonly #key: ItemKey;
  readonly #target: Uint8Array;
  #item: Item | undefined;

  constructor(context: OperationContext, id: number, key: ItemKey) {
    const target = targetOf(key);
    super(context, id, target, 'get');
    this.#key = key;
    this.#target = target;
  }

  override onResponse(_now: number, _lookup: Lookup, _slot: number, message: Message): void {
    if (message.valueAt < 0 || this.#isOld(message)) return;
    const item = readItem(message, this.#key);
    if (item === undefined) return;
    const target = isMutable(item)
      ? mutableTarget(item.publicKey, item.salt)
      : immutableTarget(item.value);
    if (!equalIds(target, 0, this.#target, 0)) return;
    if (validateItem(this.context.ed25519, item) !== undefined) return;
    this.#item = item;
    if (!isMutable(item)) {
      this.search.stop();
      this.onFound();
    }
  }

  protected onFound(): void {
    this.done('get', { ...this.search.cost(), item: this.#item });
  }

  /** Whether it is no newer than what we have: then its signature isn't worth a look. */
  #isOld(message: Message): boolean {
    const item = this.#item;
    if (item === undefined || !isMutable(item)) return false;
    return message.sequence === undefined || message.sequence <= item.sequence;
  }
}

/** Puts an item on the nodes nearest to its target. */
export class PutOperation extends SearchOperation {
  readonly #item: Item;
  readonly #compareSequence: bigint | undefined;
  /** Slots of the nodes that have a value already. */
  readonly #holders = new Map<Lookup, Set<number>>();
  #round: StoreRound | undefined;

  /** `item` has to be valid. `compareSequence`: the sequence number that this one is to take the place of (`cas`). */
  constructor(
    context: OperationContext,
    id: number,
    item: Item,
    compareSequence: bigint | undefined,
  ) {
    const target = isMutable(item)
      ? mutableTarget(item.publicKey, item.salt)
      : immutableTarget(item.value);
    super(context, id, target, 'get');
    this.#item = item;
    this.#compareSequence = compareSequence;
  }

  override stop(): void {
    super.stop();
    this.#round?.stop();
  }

  override onResponse(_now: number, lookup: Lookup, slot: number, message: Message): void {
    if (message.valueAt < 0 && message.sequence === undefined) return;
    let slots = this.#holders.get(lookup);
    if (slots === undefined) {
      slots = new Set();
      this.#holders.set(lookup, slots);
    }
    slots.add(slot);
  }

  protected onFound(now: number): void {
    const { querier, count } = this.context;
    const args = argsOf(this.#item);
    const compareSequence = this.#compareSequence;
    this.#round = new StoreRound({
      ...{ querier, count, method: 'put' },
      // BEP 44: no `cas` for a node that returned no value.
      argsFor: (lookup, slot) =>
        this.#holders.get(lookup)?.has(slot) ? { ...args, compareSequence } : args,
      onEnd: (_now, round) => this.#end(round),
    });
    this.#round.start(now, this.search);
  }

  #end(round: StoreRound): void {
    const { stored, refusal } = round;
    if (stored === 0 && refusal !== undefined) {
      const { krpcCode } = refusal;
      const message = `the nodes refused the item with error ${krpcCode}`;
      this.fail(new DhtError('krpc-error', message, { krpcCode }));
      return;
    }
    this.done('put', { ...this.search.cost(), stored, refusedWith: refusal?.krpcCode });
  }
}

function argsOf(item: Item) {
  const { value } = item;
  if (!isMutable(item)) return { value };
  const { publicKey, salt, sequence, signature } = item;
  return { value, publicKey, salt: salt.length > 0 ? salt : undefined, sequence, signature };
}

/** The item of a response, copied: a mutable one if it has a key; undefined when fields of it are missing. */
function readItem(message: Message, key: ItemKey): Item | undefined {
  const value = message.copy(message.valueAt, message.valueLength);
  const { publicKeyAt, signatureAt, sequence } = message;
  if (publicKeyAt < 0) return 'target' in key ? { value } : undefined;
  if (signatureAt < 0 || sequence === undefined) return undefined;
  return {
    value,
    publicKey: message.copy(publicKeyAt, PUBLIC_KEY_BYTES),
    salt: ('salt' in key ? key.salt : undefined) ?? new Uint8Array(),
    sequence,
    signature: message.copy(signatureAt, SIGNATURE_BYTES),
  };
}
