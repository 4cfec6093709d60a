// Operations that are about items (BEP 44): get and put, immutable and mutable.
import { PUBLIC_KEY_BYTES, SIGNATURE_BYTES } from '../constants.ts';
import { DhtError, type KrpcErrorCode } from '../errors.ts';
import {
  copyItem,
  type Item,
  immutableTarget,
  isMutable,
  itemTarget,
  mutableTarget,
  validateItem,
} from '../item.ts';
import type { Lookup } from '../lookup.ts';
import type { Message } from '../message.ts';
import { equalIds } from '../node-id.ts';
import { StoreRound } from '../store-round.ts';
import { type OperationContext, SearchOperation } from './operation.ts';

/** What is looked for: an item by its target, or a mutable one by its key and salt. With a salt only the latter can be verified. */
export type ItemKey =
  | { readonly target: Uint8Array }
  | { readonly publicKey: Uint8Array; readonly salt?: Uint8Array | undefined };

/** A key whose arrays nobody else has. */
export function copyKey(key: ItemKey): ItemKey {
  if ('target' in key) return { target: key.target.slice() };
  return { publicKey: key.publicKey.slice(), salt: key.salt?.slice() };
}

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

  override start(now: number): void {
    const own = this.context.stores.items?.get(now, this.#target, 0);
    this.#item = own && copyItem(own);
    if (own !== undefined && !isMutable(own)) this.onFound();
    else super.start(now);
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

  protected override get hasOwn(): boolean {
    return this.#item !== undefined;
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
  readonly #target: Uint8Array;
  readonly #compareSequence: bigint | undefined;
  /** By slot: nodes that have a mutable item already, and its number there. */
  readonly #held = new Map<Lookup, Map<number, bigint>>();
  #round: StoreRound | undefined;
  #hasKept = false;

  /** `item` has to be valid. `compareSequence`: the sequence number that this one is to take the place of (`cas`). */
  constructor(
    context: OperationContext,
    id: number,
    item: Item,
    compareSequence: bigint | undefined,
  ) {
    const target = itemTarget(item);
    super(context, id, target, 'get');
    this.#item = item;
    this.#target = target;
    this.#compareSequence = compareSequence;
  }

  override stop(): void {
    super.stop();
    this.#round?.stop();
  }

  override onResponse(_now: number, lookup: Lookup, slot: number, message: Message): void {
    const { sequence } = message;
    if (sequence === undefined) return;
    let held = this.#held.get(lookup);
    if (held === undefined) {
      held = new Map();
      this.#held.set(lookup, held);
    }
    held.set(slot, sequence);
  }

  protected onFound(now: number): void {
    const { querier, count } = this.context;
    const args = argsOf(this.#item);
    this.#round = new StoreRound({
      ...{ querier, count, method: 'put' },
      // BEP 44: no `cas` for a node that returned no value.
      argsFor: (lookup, slot) => {
        const compareSequence = this.#compareWith(this.#held.get(lookup)?.get(slot));
        return { ...args, compareSequence };
      },
      keep: (at, lookup) => this.#keep(at, lookup),
      reread: {
        target: this.#target,
        onRead: (lookup, slot, message) => {
          this.onResponse(now, lookup, slot, message);
          const { sequence } = message;
          return sequence === undefined || sequence <= (this.#compareSequence ?? sequence);
        },
      },
      onEnd: (_now, round) => this.#end(round),
    });
    this.#round.start(now, this.search);
  }

  /** A node that has missed updates is to be brought up to date, too: there its own number is the one to compare with. */
  #compareWith(held: bigint | undefined): bigint | undefined {
    const compareSequence = this.#compareSequence;
    if (compareSequence === undefined || held === undefined) return undefined;
    return held < compareSequence ? held : compareSequence;
  }

  #keep(now: number, { overlay }: Lookup): 'stored' | KrpcErrorCode | undefined {
    const { stores, keeps } = this.context;
    // One store serves both families.
    if (!keeps || this.#hasKept) return undefined;
    this.#hasKept = true;
    const own = stores.items?.get(now, this.#target, 0);
    const held = own !== undefined && isMutable(own) ? own.sequence : undefined;
    // An address that nobody has: our own items are counted for nobody.
    const nowhere = new Uint8Array(overlay.family === 4 ? 4 : 16);
    const { family } = overlay;
    return stores.put(now, this.#item, this.#compareWith(held), nowhere, family) ?? 'stored';
  }

  #end(round: StoreRound): void {
    const { stored, refusedWith } = round;
    if (stored > 0) {
      this.done('put', { ...this.search.cost(), stored, refusedWith });
    } else if (refusedWith === undefined) {
      this.fail(new DhtError('not-stored', 'no node has kept the item'));
    } else {
      const message = `the nodes refused the item with error ${refusedWith}`;
      this.fail(new DhtError('krpc-error', message, { krpcCode: refusedWith }));
    }
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
