// Requests of one connection, oldest first, in typed arrays: no object for each. Blocks mostly come in the order in which
// they were asked for, so finding one is usually a look at the first. Each has a number of its owner's: when it was
// asked (requests we made), or how many bytes are wanted (requests we were sent).

const FIRST_CAPACITY = 16;
const GONE = -1;

export type RequestVisitor = (pieceIndex: number, blockOffset: number, value: number) => void;

export class RequestLog {
  /** Requests in the log. */
  length = 0;
  readonly #maxLength: number;
  #pieces = new Int32Array(FIRST_CAPACITY);
  #offsets = new Float64Array(FIRST_CAPACITY);
  #values = new Float64Array(FIRST_CAPACITY);
  #head = 0;
  /** Entries between head and tail, those taken out of the middle included. */
  #span = 0;

  constructor(maxLength: number) {
    this.#maxLength = maxLength;
  }

  /** Adds a request at the end; the oldest is forgotten when the log is full. */
  push(pieceIndex: number, blockOffset: number, value: number): void {
    while (this.#span > 0 && this.length >= this.#maxLength) this.#dropHead();
    if (this.#span === this.#pieces.length) this.#grow();
    const index = (this.#head + this.#span) & (this.#pieces.length - 1);
    this.#pieces[index] = pieceIndex;
    this.#offsets[index] = blockOffset;
    this.#values[index] = value;
    this.#span += 1;
    this.length += 1;
  }

  has(pieceIndex: number, blockOffset: number): boolean {
    return this.#find(pieceIndex, blockOffset) !== GONE;
  }

  /** Takes the request out; its number, or undefined when it isn't there. */
  take(pieceIndex: number, blockOffset: number): number | undefined {
    const index = this.#find(pieceIndex, blockOffset);
    if (index === GONE) return undefined;
    const value = this.#values[index]!;
    this.#pieces[index] = GONE;
    this.length -= 1;
    this.#trim();
    return value;
  }

  /** The number of the oldest request; Infinity when there is none. */
  get firstValue(): number {
    return this.length === 0 ? Number.POSITIVE_INFINITY : this.#values[this.#head]!;
  }

  /** Takes out the oldest requests while their number is at most `value`, and tells of each. */
  takeUntil(value: number, visit?: RequestVisitor): void {
    while (this.length > 0 && this.#values[this.#head]! <= value) {
      const pieceIndex = this.#pieces[this.#head]!;
      const blockOffset = this.#offsets[this.#head]!;
      const own = this.#values[this.#head]!;
      this.#dropHead();
      visit?.(pieceIndex, blockOffset, own);
    }
  }

  /** Takes out the oldest and tells of it. False when there is none. */
  shift(visit: RequestVisitor): boolean {
    if (this.length === 0) return false;
    const pieceIndex = this.#pieces[this.#head]!;
    const blockOffset = this.#offsets[this.#head]!;
    const value = this.#values[this.#head]!;
    this.#dropHead();
    visit(pieceIndex, blockOffset, value);
    return true;
  }

  forEach(visit: RequestVisitor): void {
    for (let step = 0; step < this.#span; step += 1) {
      const index = (this.#head + step) & (this.#pieces.length - 1);
      if (this.#pieces[index] === GONE) continue;
      visit(this.#pieces[index]!, this.#offsets[index]!, this.#values[index]!);
    }
  }

  clear(): void {
    this.length = 0;
    this.#span = 0;
  }

  #find(pieceIndex: number, blockOffset: number): number {
    const mask = this.#pieces.length - 1;
    for (let step = 0; step < this.#span; step += 1) {
      const index = (this.#head + step) & mask;
      if (this.#pieces[index] === pieceIndex && this.#offsets[index] === blockOffset) return index;
    }
    return GONE;
  }

  #dropHead(): void {
    if (this.#pieces[this.#head] !== GONE) this.length -= 1;
    this.#head = (this.#head + 1) & (this.#pieces.length - 1);
    this.#span -= 1;
    this.#trim();
  }

  #trim(): void {
    const mask = this.#pieces.length - 1;
    while (this.#span > 0 && this.#pieces[this.#head] === GONE) {
      this.#head = (this.#head + 1) & mask;
      this.#span -= 1;
    }
  }

  #grow(): void {
    const oldLength = this.#pieces.length;
    const pieces = new Int32Array(oldLength * 2);
    const offsets = new Float64Array(oldLength * 2);
    const values = new Float64Array(oldLength * 2);
    let span = 0;
    for (let step = 0; step < this.#span; step += 1) {
      const index = (this.#head + step) & (oldLength - 1);
      if (this.#pieces[index] === GONE) continue;
      pieces[span] = this.#pieces[index]!;
      offsets[span] = this.#offsets[index]!;
      values[span] = this.#values[index]!;
      span += 1;
    }
    this.#pieces = pieces;
    this.#offsets = offsets;
    this.#values = values;
    this.#head = 0;
    this.#span = span;
  }
}
