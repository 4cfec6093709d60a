// How two members agree on a channel, over signalling: each says the fingerprint of its certificate and, with a phrase, its share of SPAKE2
// in one message, so that both have all they need after one trip; with a phrase a second message each confirms that it knows it, and sees the
// same fingerprints. Rounds are numbered: whoever finds the channel dead goes on to the next one, and the other follows. Nobody offers and nobody
// answers: each makes the other's description of what it said (see `peer-description.ts`), and no SDP is ever sent.
import { bytesToHex, concatBytes, hexToBytes } from '@noble/hashes/utils.js';
import { NatPunchError } from '../errors.ts';
import { type Guess, type Guesses, GuessLimit, MAX_FRIEND_GUESSES } from './guess-limit.ts';
import {
  type PhraseKey,
  SPAKE2_CONFIRMATION_BYTES,
  SPAKE2_SHARE_BYTES,
  Spake2,
  type Spake2Keys,
} from './spake2.ts';

/** More channels in one acquaintance there are not. */
export const MAX_ROUND = 1_000_000;
/** SHA-256 of a certificate. */
export const FINGERPRINT_BYTES = 32;
/** Candidates of one round, either side's. */
export const MAX_CANDIDATES = 32;
export const MAX_CANDIDATE_CHARACTERS = 256;

/** Signalling is reliable but for a server that goes away; so what was said is said again, less and less often. */
const FIRST_REPEAT_MS = 1000;
const MAX_REPEAT_MS = 8000;

/**
 * Why there will be no channel: the phrases differ, only one side has one, the other side shows another certificate than before, or it breaks
 * the exchange that the short code is made by.
 */
export type ChannelRefusal = 'wrong-phrase' | 'no-phrase' | 'other-identity' | 'wrong-commitment';

export interface ChannelHandshakeOptions {
  /** Exactly one of the two is. */
  readonly isControlling: boolean;
  /** What both sides call each of the two, alike. */
  readonly identities: { readonly own: string; readonly peer: string };
  /** Of our certificate. */
  readonly fingerprint: Uint8Array;
  readonly phraseKey?: PhraseKey | undefined;
  readonly guesses?: Guesses | undefined;
}

/** What our side of a round is made of. */
export interface RoundSeed {
  /** 40 random bytes, never used twice. */
  readonly randomBytes: Uint8Array;
  /** Where ICE is done between the two ends themselves, as with a browser. */
  readonly ice?: IceCredentials | undefined;
}

/** RFC 8839 section 5.4. */
export interface IceCredentials {
  readonly ufrag: string;
  readonly password: string;
}

export type ChannelSignal =
  | {
      readonly kind: 'channel';
      readonly round: number;
      readonly fingerprint: string;
      readonly share?: string;
      readonly ice?: IceCredentials;
      readonly candidates?: readonly string[];
      /** It answers a hello of the same round, and asks for no answer: two open ends would answer each other for ever. */
      readonly isReply?: true;
    }
  | {
      readonly kind: 'pake';
      readonly round: number;
      readonly confirmation: string;
    }
  | { readonly kind: 'ice'; readonly round: number; readonly candidate: string };

export type HandshakeEffect =
  | { readonly type: 'signal'; readonly data: ChannelSignal }
  /** The other end is known: make the channel to it. */
  | {
      readonly type: 'bound';
      readonly fingerprint: Uint8Array;
      readonly ice: IceCredentials | undefined;
    }
  /** A candidate of the other end (RFC 8839 section 5.1), after it was bound. */
  | { readonly type: 'candidate'; readonly candidate: string }
  /** It may be used: there is no phrase, or it knows it. */
  | { readonly type: 'trusted' }
  /** The other side has begun another round: drop the channel, and `begin` with a new one. */
  | { readonly type: 'superseded' }
  /** The other side waits in a round of its own, and there is none of ours: `begin` now, unless that is under way. */
  | { readonly type: 'wanted' }
  /** There were too many guesses of the phrase: the other side has to wait until there may be more, which is told once. */
  | { readonly type: 'postponed' }
  | { readonly type: 'refused'; readonly reason: ChannelRefusal };

type Hello = Extract<ChannelSignal, { kind: 'channel' }>;
type Confirmation = Extract<ChannelSignal, { kind: 'pake' }>;
type Candidate = Extract<ChannelSignal, { kind: 'ice' }>;

interface Round {
  readonly spake: Spake2 | undefined;
  readonly ice: IceCredentials | undefined;
  readonly candidates: string[];
  isBound: boolean;
  /** With a phrase. */
  keys: Spake2Keys | undefined;
  guess: Guess | undefined;
  isTrusted: boolean;
  isOpen: boolean;
  /** Of the other side, told already. */
  readonly remoteCandidates: Set<string>;
}

/** One side of the agreement with one other member, for as long as that member is there. */
export class ChannelHandshake {
  readonly #options: ChannelHandshakeOptions;
  readonly #effects: HandshakeEffect[] = [];
  #number = 0;
  /** Undefined between the end of one and the beginning of the next. */
  #round: Round | undefined;
  /** Came while no round of ours was there, with the candidates that followed it. */
  #pending: Hello | undefined;
  #pendingCandidates: string[] = [];
  /** The certificate that the other side has shown first; any other one later is somebody else's. */
  #fingerprint: Uint8Array | undefined;
  /** Its own, when it has shown that it knows the phrase: strangers can't use them up. */
  #friendGuesses: Guesses | undefined;
  #repeatAt: number | undefined;
  #repeatMs = FIRST_REPEAT_MS;
  #isPostponed = false;
  #isRefused = false;

  constructor(options: ChannelHandshakeOptions) {
    this.#options = options;
  }

  get fingerprint(): Uint8Array {
    return this.#options.fingerprint;
  }

  /** That of the other side, as soon as it is known. */
  get peerFingerprint(): Uint8Array | undefined {
    return this.#fingerprint;
  }

  /** The number of the round that we are in; both sides' are the same when they are bound. */
  get round(): number {
    return this.#number;
  }

  /** The other side has shown in this round that it knows the phrase. */
  get isAuthenticated(): boolean {
    return this.#round?.isTrusted === true && this.#options.phraseKey !== undefined;
  }

  /** A new channel of ours is there to be bound: the next round, or the one that the other side is in already. */
  begin(now: number, { randomBytes, ice }: RoundSeed): void {
    if (this.#isRefused) return;
    const { isControlling, identities, phraseKey } = this.#options;
    const pending = this.#pending;
    const candidates = this.#pendingCandidates;
    this.#pending = undefined;
    this.#pendingCandidates = [];
    this.#number = Math.max(this.#number + 1, pending?.round ?? 0);
    const round: Round = {
      spake:
        phraseKey &&
        new Spake2({
          side: isControlling ? 'A' : 'B',
          phraseKey,
          identityA: isControlling ? identities.own : identities.peer,
          identityB: isControlling ? identities.peer : identities.own,
          randomBytes,
        }),
      ice,
      candidates: [],
      isBound: false,
      keys: undefined,
      guess: undefined,
      isTrusted: false,
      isOpen: false,
      remoteCandidates: new Set(),
    };
    this.#round = round;
    this.#repeatMs = FIRST_REPEAT_MS;
    this.#repeatAt = now + this.#repeatMs;
    this.#sayHello();
    if (pending?.round !== this.#number) return;
    this.#bind(now, round, pending);
    for (const candidate of candidates) this.#tellCandidate(candidate);
  }

  /** ICE has found a candidate of ours. */
  addCandidate(candidate: string): void {
    const candidates = this.#round?.candidates;
    if (candidates === undefined || candidates.length >= MAX_CANDIDATES) return;
    candidates.push(candidate);
    this.#signal({ kind: 'ice', round: this.#number, candidate });
  }

  /** Our channel has died: nothing is said before `begin`. */
  end(): void {
    this.#round = undefined;
    this.#repeatAt = undefined;
  }

  /** The channel is open: all that was said has been heard. */
  handleOpen(): void {
    if (this.#round !== undefined) this.#round.isOpen = true;
    this.#repeatAt = undefined;
  }

  /**
   * Something that the other side said.
   *
   * @throws {NatPunchError} `invalid-message` if it is no such signal; nothing has changed then
   */
  handleSignal(now: number, data: unknown): void {
    const signal = channelSignalOf(data);
    if (this.#isRefused) return;
    if (signal.kind === 'channel') this.#handleHello(now, signal);
    else if (signal.kind === 'pake') this.#handleConfirmation(signal);
    else this.#handleCandidate(signal);
  }

  handleTimeout(now: number): void {
    if (this.#repeatAt === undefined || now < this.#repeatAt) return;
    this.#repeatMs = Math.min(this.#repeatMs * 2, MAX_REPEAT_MS);
    this.#repeatAt = now + this.#repeatMs;
    this.#sayHello();
    this.#confirm();
  }

  poll(): HandshakeEffect | undefined {
    return this.#effects.shift();
  }

  deadline(): number | undefined {
    return this.#repeatAt;
  }

  #handleHello(now: number, hello: Hello): void {
    const round = this.#round;
    if (round === undefined) {
      if (hello.round <= this.#number) return;
      this.#pend(hello);
      this.#effects.push({ type: 'wanted' });
      return;
    }
    if (hello.round > this.#number) {
      this.#pend(hello);
      this.end();
      this.#effects.push({ type: 'superseded' });
    } else if (hello.round < this.#number) {
      // It has not heard of this round.
      this.#sayHello();
    } else if (!round.isBound) {
      this.#bind(now, round, hello);
    } else {
      for (const candidate of hello.candidates ?? []) this.#tellCandidate(candidate);
      // It says so again since it has not heard us, or not our confirmation.
      if (round.isOpen && hello.isReply !== true) {
        this.#sayHello(true);
        this.#confirm();
      }
    }
  }

  #pend(hello: Hello): void {
    this.#pending = hello;
    this.#pendingCandidates = [];
  }

  #handleCandidate({ round, candidate }: Candidate): void {
    if (this.#round?.isBound === true && this.#number === round) this.#tellCandidate(candidate);
    else if (this.#pending?.round === round && this.#pendingCandidates.length < MAX_CANDIDATES) {
      this.#pendingCandidates.push(candidate);
    }
  }

  #tellCandidate(candidate: string): void {
    const told = this.#round?.remoteCandidates;
    if (told === undefined || told.has(candidate) || told.size >= MAX_CANDIDATES) return;
    told.add(candidate);
    this.#effects.push({ type: 'candidate', candidate });
  }

  #bind(now: number, round: Round, hello: Hello): void {
    const { phraseKey, guesses, isControlling, fingerprint } = this.#options;
    const theirs = hexToBytes(hello.fingerprint);
    if (this.#fingerprint !== undefined && bytesToHex(this.#fingerprint) !== hello.fingerprint) {
      this.#refuse('other-identity');
      return;
    }
    if ((hello.share === undefined) !== (phraseKey === undefined)) {
      this.#refuse('no-phrase');
      return;
    }
    if (round.spake !== undefined && hello.share !== undefined) {
      if (guesses !== undefined) {
        round.guess = (this.#friendGuesses ?? guesses).begin(now);
        if (round.guess === undefined) {
          // The other side says its hello again, and again, until it is answered.
          if (!this.#isPostponed) this.#effects.push({ type: 'postponed' });
          this.#isPostponed = true;
          return;
        }
      }
      const both = isControlling ? [fingerprint, theirs] : [theirs, fingerprint];
      try {
        round.keys = round.spake.finish(hexToBytes(hello.share), concatBytes(...both));
      } catch (error) {
        // Whoever sends a share that is none doesn't know the phrase either.
        if (!(error instanceof NatPunchError)) throw error;
        this.#refuse('wrong-phrase');
        return;
      }
    }
    round.isBound = true;
    this.#isPostponed = false;
    this.#fingerprint = theirs;
    this.#confirm();
    this.#effects.push({ type: 'bound', fingerprint: theirs, ice: hello.ice });
    for (const candidate of hello.candidates ?? []) this.#tellCandidate(candidate);
    if (round.keys === undefined) this.#trust(round);
  }

  #handleConfirmation({ round: number, confirmation }: Confirmation): void {
    const round = this.#round;
    if (round?.keys === undefined || number !== this.#number || round.isTrusted) return;
    if (round.keys.verify(hexToBytes(confirmation))) {
      round.guess?.succeeded();
      this.#friendGuesses ??= new GuessLimit(MAX_FRIEND_GUESSES);
      this.#trust(round);
    } else this.#refuse('wrong-phrase');
  }

  #trust(round: Round): void {
    round.isTrusted = true;
    this.#effects.push({ type: 'trusted' });
  }

  #refuse(reason: ChannelRefusal): void {
    this.#isRefused = true;
    this.end();
    this.#effects.push({ type: 'refused', reason });
  }

  #sayHello(isReply = false): void {
    const round = this.#round;
    if (round === undefined) return;
    this.#signal({
      kind: 'channel',
      round: this.#number,
      fingerprint: bytesToHex(this.#options.fingerprint),
      ...(round.spake === undefined ? {} : { share: bytesToHex(round.spake.share) }),
      ...(round.ice === undefined ? {} : { ice: round.ice }),
      ...(round.candidates.length === 0 ? {} : { candidates: [...round.candidates] }),
      ...(isReply ? { isReply } : {}),
    });
  }

  #confirm(): void {
    const keys = this.#round?.keys;
    if (keys === undefined) return;
    const confirmation = bytesToHex(keys.confirmation);
    this.#signal({ kind: 'pake', round: this.#number, confirmation });
  }

  #signal(data: ChannelSignal): void {
    this.#effects.push({ type: 'signal', data });
  }
}

/** What the two of a pair call each other, from the key that only they and the servers know. */
export function pairIdentities(
  pairKey: Uint8Array,
  isControlling: boolean,
): { readonly own: string; readonly peer: string } {
  const controlling = `${bytesToHex(pairKey)} controlling`;
  const controlled = `${bytesToHex(pairKey)} controlled`;
  return isControlling
    ? { own: controlling, peer: controlled }
    : { own: controlled, peer: controlling };
}

/**
 * What a member says of channels, with every field of its form.
 *
 * @throws {NatPunchError} `invalid-message`
 */
export function channelSignalOf(data: unknown): ChannelSignal {
  const fields = data as Readonly<Partial<Record<string, unknown>>> | null | undefined;
  const hex = (name: string, lengthBytes: number): string => {
    const value = fields?.[name];
    if (
      typeof value !== 'string' ||
      value.length !== lengthBytes * 2 ||
      !/^[\da-f]+$/.test(value)
    ) {
      throw new NatPunchError('invalid-message', `the signal's ${name} is of a wrong form`);
    }
    return value;
  };
  const round = (): number => {
    const value = fields?.round;
    if (!Number.isInteger(value) || (value as number) < 1 || (value as number) > MAX_ROUND) {
      throw new NatPunchError('invalid-message', "the signal's round is no such number");
    }
    return value as number;
  };
  switch (fields?.kind) {
    case 'channel':
      return {
        kind: 'channel',
        round: round(),
        fingerprint: hex('fingerprint', FINGERPRINT_BYTES),
        ...(fields.share === undefined ? {} : { share: hex('share', SPAKE2_SHARE_BYTES) }),
        ...(fields.ice === undefined ? {} : { ice: iceOf(fields.ice) }),
        ...(fields.candidates === undefined ? {} : { candidates: candidatesOf(fields.candidates) }),
        ...(fields.isReply === true ? { isReply: true } : {}),
      };
    case 'pake':
      return {
        kind: 'pake',
        round: round(),
        confirmation: hex('confirmation', SPAKE2_CONFIRMATION_BYTES),
      };
    case 'ice':
      return { kind: 'ice', round: round(), candidate: candidateOf(fields.candidate) };
    default:
      throw new NatPunchError('invalid-message', 'the signal is of no kind that a channel knows');
  }
}

/** RFC 8839 section 5.4: 4 to 256 and 22 to 256 characters of these. */
function iceOf(value: unknown): IceCredentials {
  const { ufrag, password } = (value ?? {}) as Partial<Record<string, unknown>>;
  if (typeof ufrag !== 'string' || !/^[\w+/-]{4,256}$/.test(ufrag)) {
    throw new NatPunchError('invalid-message', "the signal's ufrag is of a wrong form");
  }
  if (typeof password !== 'string' || !/^[\w+/-]{22,256}$/.test(password)) {
    throw new NatPunchError('invalid-message', "the signal's ICE password is of a wrong form");
  }
  return { ufrag, password };
}

function candidatesOf(value: unknown): readonly string[] {
  if (!Array.isArray(value) || value.length > MAX_CANDIDATES) {
    throw new NatPunchError('invalid-message', "the signal's candidates are no short list");
  }
  return value.map(candidateOf);
}

/** One line of printable ASCII that begins as RFC 8839 section 5.1 has it; ICE reads the rest. */
function candidateOf(value: unknown): string {
  const isCandidate =
    typeof value === 'string' &&
    value.length <= MAX_CANDIDATE_CHARACTERS &&
    /^candidate:[\x20-\x7e]+$/.test(value);
  if (!isCandidate) {
    throw new NatPunchError('invalid-message', "the signal's candidate is of a wrong form");
  }
  return value;
}
