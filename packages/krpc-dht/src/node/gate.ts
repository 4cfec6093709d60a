// Something that is waited for, by many and each with a signal of his own.

export class Gate {
  #waiting: Set<Waiting> | undefined = new Set();

  get isOpen(): boolean {
    return this.#waiting === undefined;
  }

  /** All pass, now and from now on. */
  open(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    for (const { resolve } of waiting ?? []) resolve();
  }

  /** Those who wait get an error; the gate stays as it is. */
  turnAway(error: unknown): void {
    for (const { reject } of this.#waiting ?? []) reject(error);
  }

  /** Waits until it is open. On an abort of the signal its reason is thrown, also when the gate is open. */
  async pass(signal?: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    const all = this.#waiting;
    if (all === undefined) return;
    let onAbort = () => {};
    try {
      await new Promise<void>((resolve, reject) => {
        const waiting = { resolve, reject };
        all.add(waiting);
        onAbort = () => {
          all.delete(waiting);
          reject(signal?.reason);
        };
        signal?.addEventListener('abort', onAbort, { once: true });
      });
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
    signal?.throwIfAborted();
  }
}

interface Waiting {
  resolve(): void;
  reject(error: unknown): void;
}
