// Requests of one connection, oldest first, in typed arrays: no object for each. A list in the order of asking and a hash
// table over the same entries, so that adding, finding and taking out cost the same whatever the order in which a peer
// answers or cancels. Each request has a number of its owner's: when it was asked (requests we made), or how many bytes
// are wanted (requests we were sent).

const FIRST_CAPACITY = 16;
const NONE = -1;

export type RequestVisitor = (pieceIndex: number, blockOffset: number, value: number) => void;

export class RequestLog {
  /** Requests in the log. */
  length = 0;
  readonly #maxLength: number;
  #pieces = new Uint32Array(FIRST_CAPACITY);
  #offsets = new Uint32Array(FIRST_CAPACITY);
  #values = new Float64Array(FIRST_CAPACITY);
  /** The list; free entries hang together by `#newer`, too. */
  #newer = new Int32Array(FIRST_CAPACITY);
  #older = new Int32Array(FIRST_CAPACITY);
  #oldest = NONE;
  #newest = NONE;
  #free = NONE;
  /** Entries of equal hash: the first of each, and chains in both directions. */
  #buckets = new Int32Array(FIRST_CAPACITY);
  #after = new Int32Array(FIRST_CAPACITY);
  #before = new Int32Array(FIRST_CAPACITY);

  constructor(maxLength: number) {
    this.#maxLength = maxLength;
    this.clear();
  }

  /** Entries there is memory for: a power of two, and never twice what was in the log at one time. */
  get capacity(): number {
    return this.#pieces.length;
  }

  /** Adds a request at the end; the oldest is forgotten when the log is full. */
  push(pieceIndex: number, blockOffset: number, value: number): void {
    while (this.length > 0 && this.length >= this.#maxLength) this.#remove(this.#oldest);
    if (this.#free === NONE) this.#grow();
    const entry = this.#free;
    this.#free = this.#newer[entry]!;
    this.#pieces[entry] = pieceIndex;
    this.#offsets[entry] = blockOffset;
    this.#values[entry] = value;
    this.#newer[entry] = NONE;
    this.#older[entry] = this.#newest;
    if (this.#newest === NONE) this.#oldest = entry;
    else this.#newer[this.#newest] = entry;
    this.#newest = entry;
    this.#chain(entry);
    this.length += 1;
  }

  has(pieceIndex: number, blockOffset: number): boolean {
    return this.#find(pieceIndex, blockOffset) !== NONE;
  }

  /** Takes the request out; its number, or undefined when it isn't there. Of equal ones the newest goes. */
  take(pieceIndex: number, blockOffset: number): number | undefined {
    const entry = this.#find(pieceIndex, blockOffset);
    if (entry === NONE) return undefined;
    this.#remove(entry);
    return this.#values[entry]!;
  }

  /** Takes out the oldest requests while their number is at most `value`, and tells of each. */
  takeUntil(value: number, visit?: RequestVisitor): void {
    while (this.#oldest !== NONE && this.#values[this.#oldest]! <= value) this.#takeOldest(visit);
  }

  /** Takes out the oldest and tells of it. False when there is none. */
  shift(visit: RequestVisitor): boolean {
    if (this.#oldest === NONE) return false;
    this.#takeOldest(visit);
    return true;
  }

  forEach(visit: RequestVisitor): void {
    for (let entry = this.#oldest; entry !== NONE; entry = this.#newer[entry]!) {
      visit(this.#pieces[entry]!, this.#offsets[entry]!, this.#values[entry]!);
    }
  }

  clear(): void {
    this.length = 0;
    this.#oldest = NONE;
    this.#newest = NONE;
    this.#free = NONE;
    this.#buckets.fill(NONE);
    this.#release(0);
  }

  #takeOldest(visit: RequestVisitor | undefined): void {
    const entry = this.#oldest;
    const pieceIndex = this.#pieces[entry]!;
    const blockOffset = this.#offsets[entry]!;
    const value = this.#values[entry]!;
    this.#remove(entry);
    visit?.(pieceIndex, blockOffset, value);
  }

  #find(pieceIndex: number, blockOffset: number): number {
    let entry = this.#buckets[this.#bucketOf(pieceIndex, blockOffset)]!;
    while (entry !== NONE) {
      if (this.#pieces[entry] === pieceIndex && this.#offsets[entry] === blockOffset) return entry;
      entry = this.#after[entry]!;
    }
    return NONE;
  }

  #remove(entry: number): void {
    const older = this.#older[entry]!;
    const newer = this.#newer[entry]!;
    if (older === NONE) this.#oldest = newer;
    else this.#newer[older] = newer;
    if (newer === NONE) this.#newest = older;
    else this.#older[newer] = older;
    const before = this.#before[entry]!;
    const after = this.#after[entry]!;
    if (before !== NONE) this.#after[before] = after;
    else this.#buckets[this.#bucketOf(this.#pieces[entry]!, this.#offsets[entry]!)] = after;
    if (after !== NONE) this.#before[after] = before;
    this.#newer[entry] = this.#free;
    this.#free = entry;
    this.length -= 1;
  }

  #chain(entry: number): void {
    const bucket = this.#bucketOf(this.#pieces[entry]!, this.#offsets[entry]!);
    const first = this.#buckets[bucket]!;
    this.#before[entry] = NONE;
    this.#after[entry] = first;
    if (first !== NONE) this.#before[first] = entry;
    this.#buckets[bucket] = entry;
  }

  /** Blocks begin at multiples of 16 KiB: neighbours in a piece, and in the torrent, fall into different buckets. */
  #bucketOf(pieceIndex: number, blockOffset: number): number {
    const mixed = Math.imul(pieceIndex, 0x9e37_79b1) ^ Math.imul(blockOffset, 0x85eb_ca77);
    return (mixed ^ (mixed >>> 15)) & (this.#buckets.length - 1);
  }

  /** Hangs the entries from `first` on into the list of free ones. */
  #release(first: number): void {
    for (let entry = this.capacity - 1; entry >= first; entry -= 1) {
      this.#newer[entry] = this.#free;
      this.#free = entry;
    }
  }

  #grow(): void {
    const oldCapacity = this.capacity;
    const capacity = 2 * oldCapacity;
    this.#pieces = larger(this.#pieces, new Uint32Array(capacity));
    this.#offsets = larger(this.#offsets, new Uint32Array(capacity));
    this.#values = larger(this.#values, new Float64Array(capacity));
    this.#newer = larger(this.#newer, new Int32Array(capacity));
    this.#older = larger(this.#older, new Int32Array(capacity));
    this.#after = new Int32Array(capacity);
    this.#before = new Int32Array(capacity);
    this.#buckets = new Int32Array(capacity).fill(NONE);
    for (let entry = this.#oldest; entry !== NONE; entry = this.#newer[entry]!) this.#chain(entry);
    this.#release(oldCapacity);
  }
}

function larger<T extends Uint32Array | Int32Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
