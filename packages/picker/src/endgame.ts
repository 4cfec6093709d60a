// The end game: blocks that another peer was asked for already are asked for again, those asked of the fewest peers
// first, beginning at a random piece and block so that the peers of a swarm do not all ask for the same one.
import type { OpenPiece } from './open-piece.ts';
import type { Peer } from './peer.ts';
import { NONE } from './requests.ts';
import type { PickerState } from './state.ts';
import type { PickSink } from './view.ts';

/** Duplicate requests a peer holds at a time: enough to fill a pipe of 512 KiB, few enough to waste little. */
const MAX_DUPLICATES_PER_PEER = 32;
/** More peers than this are not asked for one block; the count of askers has 16 bits. */
const MAX_ASKERS = 10_000;

/** Blocks and pieces looked at in one search; what lies beyond is found by a later one, which begins elsewhere. */
const LOOKS = 16_384;

/** Asks the peer for up to `count` blocks that others were asked for; only of urgent pieces if `urgentOnly`. */
export function pickDuplicates(
  state: PickerState,
  peer: Peer,
  count: number,
  sink: PickSink,
  urgentOnly: boolean,
): number {
  const { open } = state;
  const bound = state.view.maxDuplicatesPerPeer ?? MAX_DUPLICATES_PER_PEER;
  const wanted = Math.min(count, bound - peer.duplicates);
  if (wanted <= 0 || open.length === 0) return 0;
  if (peer.raceDryVersion === state.requestVersion) return 0;
  let picked = 0;
  let looks = LOOKS;
  let askers = peer.raceVersion === state.freeVersion ? peer.raceFloor : 1;
  while (askers < MAX_ASKERS) {
    let more = MAX_ASKERS;
    let at = (state.view.random() * open.length) | 0;
    for (let i = 0; i < open.length; i += 1) {
      const piece = open[at]!;
      at = at + 1 === open.length ? 0 : at + 1;
      looks -= 1;
      if (looks < 0) break;
      if (!mayRace(state, peer, piece, urgentOnly)) continue;
      const { blockCount } = piece;
      looks -= blockCount;
      let block = blockCount === 1 ? 0 : (state.view.random() * blockCount) | 0;
      for (let j = 0; j < blockCount; j += 1) {
        const asked = piece.askers[block]!;
        if (asked > askers) {
          if (asked < more) more = asked;
        } else if (asked > 0 && state.findRequest(peer, piece, block) === NONE) {
          state.request(peer, piece, block);
          sink(piece.pieceIndex, block);
          picked += 1;
          if (picked === wanted) return picked;
        }
        block = block + 1 === blockCount ? 0 : block + 1;
      }
    }
    if (looks < 0 && (picked > 0 || more === MAX_ASKERS)) return picked;
    askers = more;
    if (looks < 0) looks = LOOKS;
    else if (!urgentOnly && more < MAX_ASKERS) {
      peer.raceFloor = askers;
      peer.raceVersion = state.freeVersion;
    }
  }
  if (!urgentOnly) peer.raceDryVersion = state.requestVersion;
  return picked;
}

function mayRace(state: PickerState, peer: Peer, piece: OpenPiece, urgentOnly: boolean): boolean {
  if (piece.exclusive || piece.requestedCount === 0 || !peer.has(piece.pieceIndex)) return false;
  return urgentOnly ? state.isUrgent(piece.pieceIndex) : state.isWanted(piece.pieceIndex);
}
