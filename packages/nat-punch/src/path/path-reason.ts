// Why a path is the one that is used, in half a sentence for the user.
import type { Candidate, NatTraits } from './candidate.ts';
import type { Path, PathDescription, PathOrigin } from './path.ts';

/** What both sides are known to have. */
export interface PairFacts {
  readonly own: { readonly nat: NatTraits; readonly candidates: readonly Candidate[] };
  readonly peer: { readonly nat: NatTraits; readonly candidates: readonly Candidate[] };
}

export function describePath(path: Path, facts: PairFacts): PathDescription {
  return {
    kind: path.isRelayed ? 'relay' : 'direct',
    method: path.method,
    local: path.socket.local,
    remote: path.remote,
    reason: path.isRelayed ? relayReason(path, facts) : DIRECT_REASONS[path.origin],
  };
}

const DIRECT_REASONS: Record<PathOrigin, string> = {
  host: 'both are on one network',
  punched: 'the NATs let it through once both had sent',
  predicted: 'the next port of a symmetric NAT was predicted',
  birthday: 'a port of a symmetric NAT was found by trying',
};

function relayReason({ method }: Path, { own, peer }: PairFacts): string {
  const isReflexive = ({ kind }: Candidate) => kind === 'reflexive';
  // Over UDP both sides reach the relay: the candidates that are missing have not come yet.
  if (method !== 'relay-udp') {
    if (!own.candidates.some(isReflexive)) return 'no UDP gets out here';
    if (!peer.candidates.some(isReflexive)) return 'no UDP gets out at the other side';
  }
  if (own.nat.mapping === 'dependent' && peer.nat.mapping === 'dependent') {
    return 'both NATs give each destination another port';
  }
  return 'no direct path has answered';
}
