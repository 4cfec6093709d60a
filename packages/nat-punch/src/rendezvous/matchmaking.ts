// Who of a pool is put together: rooms of two are pairs, as many as it takes; a larger room is one, with a line before it. Those who
// were in touch before a restart of the server find together again, whoever else comes in between.
//
// What a client says of its pairs is believed when the other one says the same, with the same key: anybody can make up one side of it.

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
  /** The room that it has a place in. Of rooms of two the number means nothing. */
  readonly room: number | undefined;
}

/** Rooms of two: pairs to make now among those without one, who stand in the order in which they came. */
export function matchPairs<S extends Seeker>(now: number, seekers: Iterable<S>): [S, S][] {
  const alone = new Map<string, S>();
  for (const seeker of seekers) {
    if (seeker.room === undefined && !seeker.isAway) alone.set(seeker.clientTag, seeker);
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
      if (wereInTouch(seeker, other) && !seeker.rejected.has(tag)) pair(seeker, other);
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

export interface RoomOptions {
  readonly roomSize: number;
  /**
   * Until then, which is shortly after the pool has begun, one side's word is enough: places are kept for those whom the members of a room
   * say they are in touch with, and who says so of itself comes first.
   */
  readonly reunionUntil: number;
}

/**
 * A larger room: who is to be seated now, in the order in which they are to be, and the room of each. There is one, and another for those
 * whom everybody in the first has rejected, or whom they have, and so on: strangers who take all places keep nobody from meeting elsewhere.
 */
export function matchRoom<S extends Seeker>(
  now: number,
  seekers: Iterable<S>,
  { roomSize, reunionUntil }: RoomOptions,
): [S, number][] {
  const all = [...seekers];
  const isReunion = now < reunionUntil;
  const rooms = new Map<number, Room<S>>();
  for (const seeker of all) {
    if (seeker.room === undefined) continue;
    const room = rooms.get(seeker.room) ?? new Map();
    rooms.set(seeker.room, room.set(seeker.clientTag, seeker));
  }
  const seated = new Map<S, number>();
  const seat = (seeker: S, number: number) => {
    const room = rooms.get(number) ?? new Map();
    rooms.set(number, room.set(seeker.clientTag, seeker));
    seated.set(seeker, number);
  };
  const trySeating = (seeker: S) => {
    if (seeker.room !== undefined || seeker.isAway || seated.has(seeker)) return;
    let hasRoom = false;
    for (const [number, room] of rooms) {
      if (isRejectedBy(seeker, room)) continue;
      hasRoom = true;
      const expected = isReunion ? expectedIn(now, room) : NOBODY;
      const isExpected = expected.has(seeker.clientTag) || isMissed(seeker, room);
      // Who was in touch with others takes a place with them; who was alone makes way for a while.
      if (!isExpected && seeker.held.size === 0 && seeker.heldUntil > now) continue;
      if (room.size + (isExpected ? 0 : expected.size) >= roomSize) continue;
      seat(seeker, number);
      return;
    }
    const isMakingWay = seeker.held.size === 0 && seeker.heldUntil > now;
    if (!hasRoom && !isMakingWay) seat(seeker, Math.max(-1, ...rooms.keys()) + 1);
  };
  const comesFirst = (seeker: S) =>
    (isReunion && seeker.held.size > 0) ||
    [...rooms.values()].some((room) => isMissed(seeker, room));
  for (const seeker of all) if (comesFirst(seeker)) trySeating(seeker);
  for (const seeker of all) trySeating(seeker);
  return [...seated];
}

/** Whether both are there, and the same. */
export function sameKey(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined || a.length !== b.length) return false;
  return a.every((byte, index) => byte === b[index]);
}

/** Its members by their tags. */
type Room<S> = Map<string, S>;

const NOBODY: ReadonlySet<string> = new Set();

/** By the word of both. */
function wereInTouch(a: Seeker, b: Seeker): boolean {
  const key = a.held.get(b.clientTag);
  return sameKey(key, b.held.get(a.clientTag));
}

/** Whether somebody in the room was in touch with it, by the word of both. */
function isMissed<S extends Seeker>(seeker: S, room: Room<S>): boolean {
  for (const tag of seeker.held.keys()) {
    const other = room.get(tag);
    if (other !== undefined && wereInTouch(seeker, other)) return true;
  }
  return false;
}

/** Whether there is nobody in the room whom it could talk to. */
function isRejectedBy<S extends Seeker>(seeker: S, room: Room<S>): boolean {
  for (const tag of room.keys()) if (!seeker.rejected.has(tag)) return false;
  return true;
}

/** Tags of those who are not in the room and have a place in it kept for them. */
function expectedIn<S extends Seeker>(now: number, room: Room<S>): ReadonlySet<string> {
  const expected = new Set<string>();
  for (const member of room.values()) {
    if (member.heldUntil <= now) continue;
    for (const tag of member.held.keys()) if (!room.has(tag)) expected.add(tag);
  }
  return expected;
}
