// What an operation tells while it runs, as an async iterable that ends with it.

/** Values that were pushed and not taken yet wait; lookups bound how many there can be. */
export class OperationStream<T> implements AsyncIterableIterator<T> {
  readonly #onReturn: () => void;
  readonly #values: T[] = [];
  #waiting: { resolve: (result: IteratorResult<T>) => void; reject: (error: unknown) => void }[] =
    [];
  #end: { readonly error: unknown } | undefined;

  /** `onReturn` is called when the reader leaves before the end. */
  constructor(onReturn: () => void) {
    this.#onReturn = onReturn;
  }

  push(values: readonly T[]): void {
    for (const value of values) {
      const waiting = this.#waiting.shift();
      if (waiting === undefined) this.#values.push(value);
      else waiting.resolve({ done: false, value });
    }
  }

  /** Ends it: with an error the reader is thrown that, once the values before it have been taken. */
  end(error?: unknown): void {
    if (this.#end !== undefined) return;
    this.#end = { error };
    this.#settle(error);
  }

  #settle(error: unknown): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { resolve, reject } of waiting) {
      if (error === undefined) resolve(DONE);
      else reject(error);
    }
  }

  next(): Promise<IteratorResult<T>> {
    const value = this.#values.shift();
    if (value !== undefined) return Promise.resolve({ done: false, value });
    if (this.#end === undefined) {
      return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
    }
    const { error } = this.#end;
    this.#end = { error: undefined };
    return error === undefined ? Promise.resolve(DONE) : Promise.reject(error);
  }

  return(): Promise<IteratorResult<T>> {
    this.#values.length = 0;
    const isLeft = this.#end === undefined;
    // First: what `onReturn` ends may tell of it by an error, which is nobody's business any more.
    this.#end = { error: undefined };
    this.#settle(undefined);
    if (isLeft) this.#onReturn();
    return Promise.resolve(DONE);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

const DONE: IteratorResult<never> = { done: true, value: undefined };
