// The paths of a pair that are tried or work, by our socket and the other side's endpoint.
import type { Endpoint } from '@bt/endpoint';
import { Path, type PathOrigin, type PathSocket, pathKey } from './path.ts';

/** A peer can make us know of new ones by sending from anywhere. */
export const MAX_PATHS = 96;

export class PathTable {
  readonly #paths = new Map<string, Path>();
  /** Whether a path must not make room for another one. */
  readonly #isKept: (path: Path) => boolean;

  constructor(isKept: (path: Path) => boolean) {
    this.#isKept = isKept;
  }

  [Symbol.iterator](): IterableIterator<Path> {
    return this.#paths.values();
  }

  get(socketId: number, remote: Endpoint): Path | undefined {
    return this.#paths.get(pathKey(socketId, remote));
  }

  /** The path, made when there is none; undefined when the table is full of paths that work. */
  open(now: number, socket: PathSocket, remote: Endpoint, origin: PathOrigin): Path | undefined {
    const key = pathKey(socket.id, remote);
    const known = this.#paths.get(key);
    if (known !== undefined) return known;
    if (this.#paths.size >= MAX_PATHS && !this.#makeRoom()) return undefined;
    const { address, port } = remote;
    const path = new Path(now, socket, { address, port }, origin);
    this.#paths.set(key, path);
    return path;
  }

  remove(path: Path): void {
    this.#paths.delete(path.key);
  }

  hasDirect(now: number): boolean {
    for (const path of this) {
      if (path.isValid && !path.isRelayed && !path.isSuspect(now)) return true;
    }
    return false;
  }

  /** Sockets on which the peer was heard. */
  heardSockets(): Set<number> {
    const ids = new Set<number>();
    for (const path of this) if (path.isHeard) ids.add(path.socket.id);
    return ids;
  }

  #makeRoom(): boolean {
    for (const path of this) {
      if (path.isValid || this.#isKept(path)) continue;
      this.remove(path);
      return true;
    }
    return false;
  }
}
