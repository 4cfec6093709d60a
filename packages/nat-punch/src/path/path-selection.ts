// Which of the paths of a pair is used. The controlling side nominates, the controlled one follows (RFC 8445 section 8.1.1, but nomination is
// never final): if both chose anew all the time, they would never settle. A path is left only for one that works.
import type { Path } from './path.ts';

export class PathSelection {
  readonly #isControlling: boolean;
  #current: Path | undefined;
  #nominated: Path | undefined;
  #isConfirmed = false;
  #generation = 0;

  constructor(isControlling: boolean) {
    this.#isControlling = isControlling;
  }

  /** What datagrams are sent over. */
  get current(): Path | undefined {
    return this.#current;
  }

  /** Whether a path carries the talk, or is about to: it is watched closely. */
  isInUse(path: Path): boolean {
    return path === this.#current || path === this.#nominated;
  }

  /** The number that a probe on this path carries: of its nomination, or 0. */
  generationFor(path: Path): number {
    return this.#isControlling && path === this.#nominated ? this.#generation : 0;
  }

  /**
   * The controlling side's word: a later one counts, whatever order they come in, and is followed as soon as the path has answered us, since
   * anybody's address may stand as the sender of a datagram. The same one from elsewhere is that path behind a NAT that
   * has begun to map it anew, when the one that we know is silent.
   */
  handleNomination(now: number, path: Path, generation: number): void {
    if (this.#isControlling || generation === 0 || generation < this.#generation) return;
    if (generation === this.#generation && this.#nominated !== undefined) {
      if (this.#works(now, this.#nominated)) return;
    }
    this.#generation = generation;
    this.#nominated = path;
    this.#isConfirmed = true;
  }

  /** The controlled side has answered a probe with this number. */
  handleConfirmation(path: Path, generation: number): void {
    if (this.#isControlling && path === this.#nominated && generation === this.#generation) {
      this.#isConfirmed = true;
    }
  }

  /** A path is gone. */
  remove(path: Path): void {
    if (path === this.#nominated) this.#nominated = undefined;
    if (path === this.#current) this.#current = undefined;
  }

  /** Chooses anew. Returns a path to probe at once: one that has just been nominated. */
  consider(now: number, paths: Iterable<Path>): Path | undefined {
    const best = this.#best(now, paths);
    const nominated = this.#nominated;
    let toProbe: Path | undefined;
    if (this.#isControlling && best !== undefined && best !== nominated) {
      const isBetter =
        nominated === undefined || !this.#works(now, nominated) || best.rank < nominated.rank;
      if (isBetter) {
        this.#nominated = best;
        this.#generation += 1;
        this.#isConfirmed = false;
        toProbe = best;
      }
    }
    this.#current = this.#choose(now, best);
    return toProbe;
  }

  #choose(now: number, best: Path | undefined): Path | undefined {
    const nominated = this.#nominated;
    const current = this.#current;
    if (nominated !== undefined && this.#isConfirmed && this.#works(now, nominated))
      return nominated;
    if (current !== undefined && this.#works(now, current)) return current;
    if (best !== undefined) return best;
    return current?.isDead(now) === false ? current : undefined;
  }

  #works(now: number, path: Path): boolean {
    return path.isValid && !path.isSuspect(now);
  }

  /** The best that works. While the current one is suspect only those count that have answered since it went silent. */
  #best(now: number, paths: Iterable<Path>): Path | undefined {
    const current = this.#current;
    const sinceMs =
      current?.isSuspect(now) === true ? current.waitingSinceMs : Number.NEGATIVE_INFINITY;
    let best: Path | undefined;
    for (const path of paths) {
      if (!path.isValid || path.isSuspect(now) || path.lastAnswerMs < sinceMs) continue;
      if (best === undefined || path.rank < best.rank) best = path;
    }
    return best;
  }
}
