// Who comes before whom when slots are given away, and how many slots there are.
import { TURN_MS } from './optimistic.ts';
import type { ChokerPeer, ChokerTotals } from './types.ts';

/** Below this many slots a swarm spreads badly whatever the rate: BEP 3's four downloaders at a time. */
const MIN_SLOTS = 4;
/** Mainline's guess for a link whose rate nobody has limited. */
const MIN_SLOTS_UNLIMITED = 7;
/** Above it each peer's share of any link is too small. */
const MAX_SLOTS = 50;
/** A peer unchoked in the last two rounds has hardly begun to ask. */
const FRESHLY_UNCHOKED_MS = 20_000;

/**
 * Slots that follow the upload rate: the square root of 0.6 times the rate in KiB/s, where the rate is the user's limit
 * or else what was measured. The rule is mainline's (BitTorrent 4.x, `max_uploads` automatic); the bounds are ours.
 */
export function autoSlots(totals: ChokerTotals): number {
  const limited = totals.uploadLimit !== undefined;
  const rate = (totals.uploadLimit ?? totals.uploadRate) / 1024;
  const slots = Math.floor(Math.sqrt(0.6 * Math.max(0, rate)));
  return Math.min(MAX_SLOTS, Math.max(limited ? MIN_SLOTS : MIN_SLOTS_UNLIMITED, slots));
}

/**
 * Leeching: who sends us most comes first. Among equals (most often: nothing) a peer keeps its slot for one turn, then
 * whoever waited longest comes before it, so that a peer that gives nothing holds no slot for good.
 */
export function rankLeechers(
  now: number,
  peers: readonly ChokerPeer[],
  random: () => number,
): ChokerPeer[] {
  const inTurn = (peer: ChokerPeer): number =>
    Number(peer.isUnchoked && now - (peer.unchokedAt ?? now) < TURN_MS);
  return shuffled(peers, random).sort(
    (a, b) =>
      b.downloadRate - a.downloadRate || inTurn(b) - inTurn(a) || lastUnchoked(a) - lastUnchoked(b),
  );
}

/**
 * Seeding: unchoked peers, most recently unchoked first, and among those the one we send most; after them the peers that
 * were unchoked a while ago and ask for nothing.
 */
export function byServiceReceived(now: number, peers: readonly ChokerPeer[]): ChokerPeer[] {
  const busy = (peer: ChokerPeer): number =>
    Number(
      peer.hasPendingRequests !== false || now - (peer.unchokedAt ?? now) < FRESHLY_UNCHOKED_MS,
    );
  return [...peers].sort((a, b) => {
    const byBusy = busy(b) - busy(a);
    if (byBusy !== 0) return byBusy;
    const byTime = busy(a) === 1 ? lastUnchoked(b) - lastUnchoked(a) : 0;
    return byTime || b.uploadRate - a.uploadRate;
  });
}

/** Choked peers, longest waiting first: never unchoked, then least recently unchoked, ties by chance. */
export function byTurn(peers: readonly ChokerPeer[], random: () => number): ChokerPeer[] {
  return shuffled(peers, random).sort((a, b) => lastUnchoked(a) - lastUnchoked(b));
}

/** A copy in random order (Fisher and Yates). */
export function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const copy = [...items];
  for (let i = copy.length - 1; i > 0; i -= 1) {
    const j = Math.floor(random() * (i + 1));
    const item = copy[i]!;
    copy[i] = copy[j]!;
    copy[j] = item;
  }
  return copy;
}

/** Never counts as longest ago, in numbers that can be subtracted. */
function lastUnchoked(peer: ChokerPeer): number {
  return peer.unchokedAt ?? Number.MIN_SAFE_INTEGER;
}
