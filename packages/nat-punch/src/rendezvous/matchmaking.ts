// Who of a pool is put together: rooms of two are pairs, as many as it takes; a larger room is one, with a line before it. Those who
// were in touch before a restart of the server find together again, whoever else comes in between.

export interface Seeker {
  readonly clientTag: string;
  /** Keys of the pairs that it says it is in touch with, by the other's tag. */
  readonly held: ReadonlyMap<string, Uint8Array>;
  /** Until then it is kept free for those. */
  readonly heldUntil: number;
  /** Tags of those it is not to be paired with; theirs name it as well. */
  readonly rejected: ReadonlySet<string>;
  /** Without a connection nobody is paired. */
  readonly isAway: boolean;
  /** It has a place in a room. */
  readonly isSeated: boolean;
}

/** Rooms of two: pairs to make now among those without one, who stand in the order in which they came. */
export function matchPairs<S extends Seeker>(now: number, seekers: Iterable<S>): [S, S][] {
  const alone = new Map<string, S>();
  for (const seeker of seekers) {
    if (!seeker.isSeated && !seeker.isAway) alone.set(seeker.clientTag, seeker);
  }
  const pairs: [S, S][] = [];
  const pair = (a: S, b: S) => {
    alone.delete(a.clientTag);
    alone.delete(b.clientTag);
    pairs.push([a, b]);
  };
  for (const seeker of alone.values()) {
    for (const tag of seeker.held.keys()) {
      const other = alone.get(tag);
      if (other === undefined || other === seeker || !alone.has(seeker.clientTag)) continue;
      if (!seeker.rejected.has(tag)) pair(seeker, other);
    }
  }
  const free: S[] = [];
  for (const seeker of alone.values()) {
    if (seeker.heldUntil > now) continue;
    const index = free.findIndex(({ clientTag }) => !seeker.rejected.has(clientTag));
    if (index < 0) free.push(seeker);
    else pair(free.splice(index, 1)[0]!, seeker);
  }
  return pairs;
}

/** A larger room: who is to be seated now, in the order in which they are to be. */
export function matchRoom<S extends Seeker>(
  now: number,
  seekers: Iterable<S>,
  roomSize: number,
): S[] {
  const all = [...seekers];
  const room = new Map(all.filter((s) => s.isSeated).map((seeker) => [seeker.clientTag, seeker]));
  const seated: S[] = [];
  const trySeating = (seeker: S) => {
    if (seeker.isSeated || seeker.isAway || room.has(seeker.clientTag)) return;
    const expected = expectedIn(now, room);
    const isExpected = expected.has(seeker.clientTag);
    // Who was in touch with others takes a place with them; who was alone makes way for a while.
    const wasInTouch = seeker.held.size > 0;
    if (!isExpected && !wasInTouch && seeker.heldUntil > now) return;
    if (room.size + (isExpected ? 0 : expected.size) >= roomSize) return;
    room.set(seeker.clientTag, seeker);
    seated.push(seeker);
  };
  for (const seeker of all) if (seeker.held.size > 0) trySeating(seeker);
  for (const seeker of all) trySeating(seeker);
  return seated;
}

/** Tags of those who are not in the room and have a place in it kept for them. */
function expectedIn<S extends Seeker>(now: number, room: ReadonlyMap<string, S>): Set<string> {
  const expected = new Set<string>();
  for (const member of room.values()) {
    if (member.heldUntil <= now) continue;
    for (const tag of member.held.keys()) if (!room.has(tag)) expected.add(tag);
  }
  return expected;
}
