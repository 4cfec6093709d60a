// What is legal when on one connection (BEP 3, 5, 6, 10, 52): the table, and the little machine that follows it.
//
// Rule 1: everything that decides whether a message may be said now stands in this file, and nothing else does. Lengths and
// ranges are judge.ts's; whether hashes were asked for, hash-request.ts's; whether a block was, its receiver's.
// Rule 2: this file does not know which side we are. A connection is two speakers, we and the remote, and both follow the same
// table; who is at fault is known by whose speaker it was.
//
// Theory of operation
//
// A speaker goes through three phases: `handshake` until its 68 bytes have been said; `undeclared` as long as it has said
// nothing of the pieces it has; `declared` after that. It carries two flags that its messages turn: it chokes the other
// one (at first yes), and it is interested in the other one's pieces (at first no).
//
// The declaration. BEP 3 has the bitfield "only ever sent as the first message" and BEP 6 wants exactly one of bitfield,
// have_all and have_none right behind the handshake. What clients do: the extended handshake and `port` come first
// (Transmission, aria2, uTorrent); a peer with a magnet link has no bitfield to send until it has the metadata, and sends it
// then, minutes later (libtorrent, webtorrent). So the phase ends with the first message that tells of pieces, whenever it
// comes: one of the three, or a `have`, which means that there were none before. After it have_none is illegal and closes the
// connection. A bitfield or have_all is taken again, a bounded number of times, and says anew what the speaker has: aria2 sends
// one in place of many `have`s when it is shorter, and a second bitfield behind the first to whom has connected to it.
//
// What was negotiated. A message of BEP 6, 10 or 52 needs the extension to be offered by both handshakes; the hash messages
// need the connection to run under the v2 info-hash. BEP 6 says MUST close for its messages; the same holds for the others.
// `port` is let through, offered or not: it does no harm and clients differ.
//
// Pieces. Before the metadata is there (magnet link) nobody can have asked us for a block, nor we them: block messages are
// illegal. What a peer tells of its pieces is legal and kept (see early-pieces.ts). Hash requests may come: they can be
// refused.
//
// Choking. A request to a choker is legal to hear: it may have crossed the choke (BEP 6: answer with a reject). It is not
// legal to say without the fast extension, which would let it be lost without a word; with it the remote answers, and allowed
// fast pieces may be asked for. A block from a choker is legal: it may answer an older request, or be an allowed fast one.
//
// Repeating choke, unchoke, interested and not interested is legal and changes nothing.
import { MAX_LATER_DECLARATIONS, MESSAGE_ID, type MessageName } from './constants.ts';
import type { WireErrorCode } from './errors.ts';

/** How far a speaker has come. */
export type SpeakerPhase = 'handshake' | 'undeclared' | 'declared';

/** What has to be agreed on before some messages may be said; `pieces` is the number of pieces, known to us. */
export type Agreement = 'fast' | 'extended' | 'v2' | 'pieces';

/** One row: in which phases the message is legal and which phase it leads to, what it needs, which flag it turns. */
export interface MessageRule {
  readonly undeclared: SpeakerPhase;
  /** Absent: illegal in this phase. */
  readonly declared?: SpeakerPhase;
  readonly needs?: readonly Agreement[];
  readonly turns?: readonly ['choking' | 'interested', boolean];
}

const STAYS = { undeclared: 'undeclared', declared: 'declared' } as const;
const DECLARES = { undeclared: 'declared' } as const;

/** The table. In phase `handshake` no message is legal; unknown ids are legal in the other two and change nothing. */
export const SESSION_TABLE: Readonly<Record<MessageName, MessageRule>> = {
  choke: { ...STAYS, turns: ['choking', true] },
  unchoke: { ...STAYS, turns: ['choking', false] },
  interested: { ...STAYS, turns: ['interested', true] },
  notInterested: { ...STAYS, turns: ['interested', false] },
  have: { undeclared: 'declared', declared: 'declared' },
  bitfield: { undeclared: 'declared', declared: 'declared' },
  haveAll: { undeclared: 'declared', declared: 'declared', needs: ['fast'] },
  haveNone: { ...DECLARES, needs: ['fast'] },
  request: { ...STAYS, needs: ['pieces'] },
  piece: { ...STAYS, needs: ['pieces'] },
  cancel: { ...STAYS, needs: ['pieces'] },
  reject: { ...STAYS, needs: ['fast', 'pieces'] },
  suggest: { ...STAYS, needs: ['fast'] },
  allowedFast: { ...STAYS, needs: ['fast'] },
  port: STAYS,
  extended: { ...STAYS, needs: ['extended'] },
  hashRequest: { ...STAYS, needs: ['v2'] },
  hashes: { ...STAYS, needs: ['v2'] },
  hashReject: { ...STAYS, needs: ['v2'] },
};

/** One of the two who talk. Starts in phase `handshake`, choking and not interested (BEP 3). */
export class Speaker {
  #phase: SpeakerPhase = 'handshake';
  /** A bit for each agreement. */
  #agreed = 0;
  #choking = true;
  #interested = false;
  #laterDeclarations = 0;

  get phase(): SpeakerPhase {
    return this.#phase;
  }

  get choking(): boolean {
    return this.#choking;
  }

  get interested(): boolean {
    return this.#interested;
  }

  /** The handshake has been said. */
  greet(): void {
    if (this.#phase === 'handshake') this.#phase = 'undeclared';
  }

  /** From now on what needs `agreement` may be said. */
  agree(agreement: Agreement): void {
    this.#agreed |= AGREEMENT_BIT[agreement];
  }

  hasAgreed(agreement: Agreement): boolean {
    return (this.#agreed & AGREEMENT_BIT[agreement]) !== 0;
  }

  /** Why the message may not be said now; `undefined` when it may. Changes nothing. */
  objection(messageId: number): WireErrorCode | undefined {
    if (this.#phase === 'handshake') return 'out-of-turn';
    const missing = NEEDED_BITS[messageId]! & ~this.#agreed;
    if (missing !== 0) return missing === AGREEMENT_BIT.pieces ? 'out-of-turn' : 'not-negotiated';
    if (this.#phase === 'undeclared') return undefined;
    const isOneTooMany =
      isDeclaration(messageId) && this.#laterDeclarations === MAX_LATER_DECLARATIONS;
    return STAYS_LEGAL[messageId] === 1 && !isOneTooMany ? undefined : 'out-of-turn';
  }

  /** The message is said. To be called only without an objection. */
  advance(messageId: number): void {
    const rule = RULES[messageId];
    if (rule === undefined || this.#phase === 'handshake') return;
    if (isDeclaration(messageId) && this.#phase === 'declared') this.#laterDeclarations++;
    this.#phase = rule[this.#phase] ?? this.#phase;
    if (rule.turns === undefined) return;
    if (rule.turns[0] === 'choking') this.#choking = rule.turns[1];
    else this.#interested = rule.turns[1];
  }
}

/** One of those that may come again. */
function isDeclaration(messageId: number): boolean {
  return messageId === MESSAGE_ID.bitfield || messageId === MESSAGE_ID.haveAll;
}

/** Whether a request of `asker` would be dropped without an answer: see "Choking" above. Judged for our own requests only. */
export function isRequestFutile(asker: Speaker, answerer: Speaker): boolean {
  return answerer.choking && !asker.hasAgreed('fast');
}

const AGREEMENT_BIT: Readonly<Record<Agreement, number>> = {
  fast: 1,
  extended: 2,
  v2: 4,
  pieces: 8,
};

/** The table by message id; unknown ids are holes. */
const RULES: readonly (MessageRule | undefined)[] = /* @__PURE__ */ (() => {
  const rules: (MessageRule | undefined)[] = new Array(256).fill(undefined);
  for (const name of Object.keys(SESSION_TABLE) as MessageName[]) {
    rules[MESSAGE_ID[name]] = SESSION_TABLE[name];
  }
  return rules;
})();

// The same as numbers: every message is judged, and a closure over `needs` was 40 bytes of heap for each block (measured).
const NEEDED_BITS = /* @__PURE__ */ Uint8Array.from(RULES, (rule) =>
  (rule?.needs ?? []).reduce((bits, agreement) => bits | AGREEMENT_BIT[agreement], 0),
);
const STAYS_LEGAL = /* @__PURE__ */ Uint8Array.from(RULES, (rule) =>
  rule === undefined || rule.declared !== undefined ? 1 : 0,
);
