// When everything that is wanted is there, and to whom that is news. A seeded file that somebody has touched is looked at
// again, and mostly right after all: nobody is to hear of that, least of all trackers, which count downloads (BEP 3 `completed`).

export class Completion {
  /** Since when everything wanted is there; undefined while something is missing. */
  doneMs: number | undefined;
  /** When it was, before something was in doubt; undefined when something was fetched or chosen since. */
  #doneBeforeMs: number | undefined;
  #hasFetched = false;
  #wasWhole: boolean;

  constructor(now: number, isDone: boolean, isWhole: boolean) {
    if (isDone) this.doneMs = now;
    this.#wasWhole = isWhole;
  }

  /** A piece was downloaded. */
  fetched(): void {
    this.#hasFetched = true;
    this.#doneBeforeMs = undefined;
  }

  /** Other files are wanted. */
  selected(): void {
    this.#doneBeforeMs = undefined;
  }

  /** Something that is wanted is missing. */
  lacking(): void {
    this.#doneBeforeMs = this.doneMs ?? this.#doneBeforeMs;
    this.doneMs = undefined;
  }

  /** Nothing is. True when that is news. */
  reached(now: number): boolean {
    const isNews = this.#doneBeforeMs === undefined;
    this.doneMs = this.#doneBeforeMs ?? now;
    return isNews;
  }

  /** Every piece is there. True when that ends a download for the first time: trackers are to hear of it. */
  completed(): boolean {
    const isFirst = !this.#wasWhole && this.#hasFetched;
    this.#wasWhole = true;
    return isFirst;
  }
}
