// Checks that a picker's book is consistent, in time linear in pieces times peers: for tests, not exported by the
// package. Everything kept in two places is worked out again from one of them.
import { RECEIVED } from './open-piece.ts';
import type { Peer } from './peer.ts';
import { type Picker, stateOf } from './picker.ts';
import { NONE } from './requests.ts';
import { HAVE, type PickerState } from './state.ts';

/** Throws an Error that names the broken invariant. */
export function assertInvariants(picker: Picker): void {
  const state = stateOf(picker);
  const peers = state.peers.filter((peer) => peer !== undefined);
  checkPieces(state, peers);
  checkOpenPieces(state);
  checkRequests(state, peers);
  for (const peer of peers) checkPeer(state, peer);
  check(peers.filter((peer) => peer.isOwner).length === state.ownerCount, 'ownerCount');
}

function checkPieces(state: PickerState, peers: readonly Peer[]): void {
  const { availability, slotOf } = state;
  let missing = 0;
  const freshSizes = new Array<number>(8).fill(0);
  for (let p = 0; p < state.pieceCount; p += 1) {
    const had = slotOf[p] === HAVE;
    const priority = availability.priorities[p]!;
    const holders = peers.filter((peer) => peer.has(p)).length;
    const fresh = slotOf[p] === NONE && priority > 0;
    const piece = state.openPieceOf(p);
    if (!had) missing += 1;
    if (fresh) freshSizes[priority]! += 1;
    check(availability.of(p) === holders, `availability of ${p}`);
    check(state.wanted.has(p) === (!had && priority > 0), `wanted ${p}`);
    for (let other = 0; other < 8; other += 1) {
      const inSet = availability.fresh[other]!.has(p);
      check(inSet === (fresh && other === priority), `fresh ${p} at priority ${other}`);
    }
    if (fresh) {
      check(availability.level(priority, holders)?.has(p) === true, `level of ${p}`);
      for (const peer of peers) {
        const cursor = peer.cursors[priority]! + availability.cursorShift;
        const reached = peer.isSeed || !peer.has(p) || cursor <= availability.counters[p]!;
        check(reached, `cursor of peer ${peer.handle} is beyond ${p}`);
      }
    }
    const askable = fresh || (piece !== undefined && piece.freeCount > 0);
    check(state.urgent.has(p) === (askable && priority === 7), `urgent ${p}`);
  }
  check(missing === state.missingCount, 'missingCount');
  for (let priority = 1; priority < 8; priority += 1) {
    check(availability.fresh[priority]!.size === freshSizes[priority], `size of fresh ${priority}`);
    let inLevels = 0;
    for (let a = 0; a <= peers.length; a += 1)
      inLevels += availability.level(priority, a)?.size ?? 0;
    check(inLevels === freshSizes[priority], `sizes of the levels of priority ${priority}`);
  }
}

function checkOpenPieces(state: PickerState): void {
  let open = 0;
  let partial = 0;
  for (let p = 0; p < state.pieceCount; p += 1) {
    const piece = state.openPieceOf(p);
    if (piece === undefined) continue;
    let received = 0;
    let free = 0;
    let padding = 0;
    for (let b = 0; b < piece.blockCount; b += 1) {
      const asked = piece.askers[b]!;
      if (asked === RECEIVED) received += 1;
      if (state.view.isPadding?.(p, b) === true) {
        padding += 1;
        check(asked === RECEIVED, `padding of ${p}:${b}`);
      }
      if (asked === 0) free += 1;
      check(asked !== 0 || b >= piece.firstFree, `firstFree of ${p}`);
      let records = 0;
      for (let r = piece.heads[b]!; r !== NONE; r = state.requests.nextOfBlock[r]!) {
        check(state.requests.slot[r] === piece.slot, `slot of a request for ${p}`);
        check(state.requests.block[r] === b, `block of a request for ${p}`);
        records += 1;
      }
      check(records === (asked === RECEIVED ? 0 : asked), `askers of ${p}:${b}`);
    }
    check(piece.pieceIndex === p, `tenant of the slot of ${p}`);
    check(received === piece.receivedCount, `receivedCount of ${p}`);
    check(free === piece.freeCount, `freeCount of ${p}`);
    check(padding === piece.paddingCount, `paddingCount of ${p}`);
    check(!piece.isUntouched || !state.isWanted(p), `${p} is begun for nothing`);
    const isStrange = piece.owner !== NONE && state.peers[piece.owner] === undefined;
    check(piece.isFull || !isStrange, `owner of ${p} is gone`);
    if (piece.isFull) check(piece.openPosition === NONE, `${p} is full, not open`);
    else {
      open += 1;
      check(state.open[piece.openPosition] === piece, `open position of ${p}`);
    }
    if (free > 0 && state.isWanted(p)) {
      partial += 1;
      check(state.partial[piece.partialPosition] === piece, `partial position of ${p}`);
    } else check(piece.partialPosition === NONE, `${p} is not partial`);
  }
  check(open === state.open.length, 'number of open pieces');
  check(partial === state.partial.length, 'number of partial pieces');
}

function checkRequests(state: PickerState, peers: readonly Peer[]): void {
  const { requests } = state;
  let total = 0;
  for (const peer of peers) {
    let outstanding = 0;
    let duplicates = 0;
    let newer = NONE;
    const seen = new Set<string>();
    for (let r = peer.firstRequest; r !== NONE; r = requests.nextOfPeer[r]!) {
      check(requests.peer[r] === peer.handle, `peer of a request of ${peer.handle}`);
      check(requests.previousOfPeer[r] === newer, `links of the requests of ${peer.handle}`);
      const key = `${requests.slot[r]}:${requests.block[r]}`;
      check(!seen.has(key), `peer ${peer.handle} asked twice for ${key}`);
      seen.add(key);
      newer = r;
      outstanding += 1;
      duplicates += requests.duplicate[r]!;
    }
    check(outstanding === peer.outstanding, `outstanding of ${peer.handle}`);
    check(duplicates === peer.duplicates, `duplicates of ${peer.handle}`);
    total += outstanding;
  }
  check(total === requests.size, 'number of requests');
}

function checkPeer(state: PickerState, peer: Peer): void {
  let has = 0;
  for (let p = 0; p < state.pieceCount; p += 1) {
    if (!peer.has(p)) continue;
    has += 1;
  }
  const begun = state.open.filter((piece) => piece.beginner === peer.handle).length;
  check(begun === peer.begun, `begun by ${peer.handle}`);
  const owned = state.open.some((piece) => piece.owner === peer.handle);
  check(!owned || peer.isOwner, `${peer.handle} owns a piece`);
  if (peer.isSeed) check(peer.pieces === undefined, `seed ${peer.handle} has a bitmap`);
  else {
    check(has === (peer.pieces?.size ?? 0), `pieces of ${peer.handle}`);
    check(has < state.pieceCount || has === 0, `${peer.handle} is a seed`);
    check(peer.witness === NONE || peer.has(peer.witness), `witness of ${peer.handle}`);
  }
  const listed = peer.leecherPosition !== NONE;
  check(listed === (peer.pieces !== undefined), `${peer.handle} in the list of leechers`);
  if (listed) check(state.leechers[peer.leecherPosition] === peer, `place of ${peer.handle}`);
}

function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(`invariant broken: ${what}`);
}
