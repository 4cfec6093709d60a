// Guesses ports where one of the NATs maps every destination to another one: when, by which way, and how much of it. The next port of a NAT
// that counts is predicted; of a NAT with random ports one is met by chance, from 256 sockets at its side and random ports tried from the
// other ("birthday", RFC 5128 section 3.4 has prediction alone).
import { endpointKey } from '@bt/endpoint';
import type { Candidate, NatTraits, PunchSignal } from './candidate.ts';
import {
  BIRTHDAY_SOCKETS,
  GUESSES_PER_SECOND,
  guessFor,
  MAX_GUESSES,
  OPENING_TTL,
  OPENINGS_PER_SECOND,
  openings,
  predictedShots,
  randomShots,
} from './guesses.ts';
import type { PathOrigin, PathSocket } from './path.ts';
import { Spray, type SprayShot } from './spray.ts';

export type GuessWay = 'prediction' | 'birthday';

/** What it needs of the puncher. */
export interface GuessHost {
  readonly random: () => number;
  readonly round: number;
  traits(): { readonly own: NatTraits; readonly peer: NatTraits };
  /** Where the server has seen the peer's NAT. */
  aims(): readonly Candidate[];
  /** The socket whose mapping the peer knows. */
  punchingSocket(): PathSocket | undefined;
  hasDirect(now: number): boolean;
  /** Sockets on which the peer was heard. */
  heardSockets(): ReadonlySet<number>;
  /** Sockets that are not needed any more. */
  release(ids: readonly number[]): void;
  /** Has sockets opened, which come by `addSockets`. */
  open(way: GuessWay, count: number): void;
  signal(signal: PunchSignal): void;
  shoot(now: number, shot: SprayShot, origin: PathOrigin): void;
}

/** When guessing begins where the NATs' classes don't say that it must. */
const GUESS_AFTER_MS = 300;
/** A prediction that has brought nothing is made again. */
const PREDICT_AGAIN_MS = 1_500;
/** The second and third time that the shots of a prediction are sent, all the way now. */
const SHOOT_AGAIN_MS = [200, 600] as const;
const BIRTHDAY_OPEN_AGAIN_MS = 1_500;
/** What all the probes of one take: meanwhile nothing else is begun that would end it. */
const BIRTHDAY_MS = 5_500;
/** An attack that has brought nothing by then is over, and its sockets are closed. */
const BIRTHDAY_LIFETIME_MS = 10_000;
/** What the peer asks for is done no oftener. */
const BIRTHDAY_PAUSE_MS = 6_000;
const PREDICTION_PAUSE_MS = 400;

export class PortGuesser {
  readonly #host: GuessHost;
  readonly #sockets = new Map<
    number,
    { readonly socket: PathSocket; readonly origin: PathOrigin }
  >();
  #sprays: Spray[] = [];
  #guessMs = Number.POSITIVE_INFINITY;
  #guessedRound = -1;
  #guessesLeft = MAX_GUESSES;
  #isOpening = false;
  #expiryMs = Number.POSITIVE_INFINITY;
  #busyUntilMs = Number.NEGATIVE_INFINITY;
  #birthdayMs = Number.NEGATIVE_INFINITY;
  #predictionMs = Number.NEGATIVE_INFINITY;
  /** A port of our NAT that the next mapping follows, and one of the peer's. */
  #ownSample: { readonly socket: PathSocket; readonly port: number } | undefined;
  #peerSample: number | undefined;
  /** What the peer has asked for before we knew where it was. */
  #asked: ((now: number) => void) | undefined;
  /** Sockets whose mappings the peer looks for, and the endpoints of the peer that they are open for. */
  #openers: readonly PathSocket[] = [];
  readonly #openedAims = new Set<string>();

  constructor(host: GuessHost) {
    this.#host = host;
  }

  socket(id: number): PathSocket | undefined {
    return this.#sockets.get(id)?.socket;
  }

  /** How a path was found on which the peer shows itself unannounced. */
  originOf(socketId: number): PathOrigin | undefined {
    return this.#sockets.get(socketId)?.origin ?? this.#sprays[0]?.origin;
  }

  /** Until when new rounds would only disturb. */
  get busyUntilMs(): number {
    return this.#busyUntilMs;
  }

  /** There is something new to hope for. */
  refill(): void {
    this.#guessesLeft = MAX_GUESSES;
  }

  startRound(): void {
    this.#ownSample = undefined;
    this.#peerSample = undefined;
    this.#asked = undefined;
  }

  /** Both sides take part in this round, and there may be news of the peer's NAT. */
  schedule(now: number): void {
    const { own, peer } = this.#host.traits();
    const { round } = this.#host;
    this.#openNewAims(now);
    this.#asked?.(now);
    if (this.#guessedRound >= round || guessFor(own, peer) === undefined) return;
    if (this.#host.aims().length === 0) return;
    this.#guessedRound = round;
    this.#guessMs = now + (peer.filtering === 'port' ? 0 : GUESS_AFTER_MS);
  }

  /** Sockets that were asked for; none when there are none to be had. */
  addSockets(
    now: number,
    way: GuessWay,
    sockets: readonly PathSocket[],
    mappedPort?: number,
  ): void {
    this.#isOpening = false;
    const first = sockets[0];
    if (first === undefined) return;
    const origin = way === 'birthday' ? 'birthday' : 'predicted';
    for (const socket of sockets) this.#sockets.set(socket.id, { socket, origin });
    this.#expiryMs = now + BIRTHDAY_LIFETIME_MS;
    if (this.#host.hasDirect(now)) return;
    if (way === 'birthday') this.#openBirthday(now, sockets);
    else if (mappedPort !== undefined) this.#openPrediction(now, first, mappedPort);
  }

  /** The peer has many ports open for us: we try random ones. */
  handleBirthday(now: number): void {
    const { random } = this.#host;
    const socket = this.#host.punchingSocket();
    this.#asked = undefined;
    if (this.#host.aims().length === 0) {
      this.#asked = (laterMs) => this.handleBirthday(laterMs);
      return;
    }
    if (socket === undefined || this.#host.traits().own.mapping === 'dependent') return;
    if (now - this.#birthdayMs < BIRTHDAY_PAUSE_MS) return;
    this.#birthdayMs = now;
    this.#busyUntilMs = now + BIRTHDAY_MS;
    this.#spray(
      'birthday',
      now,
      GUESSES_PER_SECOND,
      randomShots(socket, this.#addresses(), random),
    );
  }

  /** The peer's next mapping follows this port. */
  handlePrediction(now: number, port: number): void {
    const { own, peer } = this.#host.traits();
    this.#asked = undefined;
    if (this.#host.aims().length === 0) {
      this.#asked = (laterMs) => this.handlePrediction(laterMs, port);
      return;
    }
    if (now - this.#predictionMs < PREDICTION_PAUSE_MS) return;
    this.#predictionMs = now;
    if (own.mapping === 'dependent') {
      this.#peerSample = port;
      if (this.#ownSample !== undefined) this.#predictTogether(now);
      else if (own.portStep !== undefined) this.#open('prediction');
      return;
    }
    const socket = this.#host.punchingSocket();
    const { portStep } = peer;
    if (socket === undefined || portStep === undefined) return;
    for (const delayMs of [0, ...SHOOT_AGAIN_MS]) {
      const shots = predictedShots(socket, this.#addresses(), { port, portStep });
      this.#spray('predicted', now + delayMs, GUESSES_PER_SECOND, shots);
    }
  }

  handleTimeout(now: number): void {
    if (now >= this.#expiryMs) this.#releaseSockets();
    if (now >= this.#guessMs) this.#guess(now);
    for (const spray of this.#sprays) {
      for (let shot = spray.take(now); shot !== undefined; shot = spray.take(now)) {
        this.#host.shoot(now, shot, spray.origin);
      }
    }
    this.#sprays = this.#sprays.filter((spray) => spray.deadline() !== Number.POSITIVE_INFINITY);
  }

  deadline(): number {
    let next = Math.min(this.#guessMs, this.#expiryMs);
    for (const spray of this.#sprays) next = Math.min(next, spray.deadline());
    return next;
  }

  /** There is a direct path: sockets that are not needed for it are given up. */
  end(): void {
    this.#sprays = [];
    this.#guessMs = Number.POSITIVE_INFINITY;
    this.#busyUntilMs = Number.NEGATIVE_INFINITY;
    this.#releaseSockets();
  }

  #releaseSockets(): void {
    this.#expiryMs = Number.POSITIVE_INFINITY;
    this.#openers = [];
    this.#openedAims.clear();
    if (this.#sockets.size === 0) return;
    const heard = this.#host.heardSockets();
    const ids = [...this.#sockets.keys()].filter((id) => !heard.has(id));
    for (const id of ids) this.#sockets.delete(id);
    if (ids.length > 0) this.#host.release(ids);
  }

  #guess(now: number): void {
    this.#guessMs = Number.POSITIVE_INFINITY;
    const { own, peer } = this.#host.traits();
    const way = guessFor(own, peer);
    if (way === undefined || this.#host.hasDirect(now)) return;
    // What has failed twice isn't as regular as it seemed.
    const isDoubtful = this.#guessesLeft <= MAX_GUESSES - 2 && peer.mapping !== 'dependent';
    this.#open(isDoubtful ? 'birthday' : way);
    if (way === 'prediction') this.#guessMs = now + PREDICT_AGAIN_MS;
  }

  #open(way: GuessWay): void {
    if (this.#isOpening || this.#guessesLeft === 0) return;
    this.#guessesLeft -= 1;
    this.#isOpening = true;
    this.#releaseSockets();
    this.#host.open(way, way === 'birthday' ? BIRTHDAY_SOCKETS : 1);
  }

  #openBirthday(now: number, sockets: readonly PathSocket[]): void {
    const aims = this.#host.aims();
    this.#busyUntilMs = now + BIRTHDAY_MS;
    this.#openers = sockets;
    this.#openNewAims(now);
    // Half of them all the way: where that reaches a box whose ports it spoils, the others are left.
    const half = sockets.filter((_, index) => index % 2 === 1);
    const againMs = now + BIRTHDAY_OPEN_AGAIN_MS;
    this.#spray('birthday', againMs, OPENINGS_PER_SECOND, openings(half, aims));
    this.#host.signal({ kind: 'punch', round: this.#host.round, way: 'birthday' });
  }

  /** The peer may have got other sockets since we opened our NAT for it, and try from those. */
  #openNewAims(now: number): void {
    const aims = this.#host.aims().filter((aim) => !this.#openedAims.has(endpointKey(aim)));
    if (this.#openers.length === 0 || aims.length === 0) return;
    for (const aim of aims) this.#openedAims.add(endpointKey(aim));
    const origin = this.#openers.length > 1 ? 'birthday' : 'predicted';
    this.#spray(origin, now, OPENINGS_PER_SECOND, openings(this.#openers, aims, OPENING_TTL));
  }

  #openPrediction(now: number, socket: PathSocket, port: number): void {
    this.#ownSample = { socket, port };
    this.#host.signal({ kind: 'punch', round: this.#host.round, way: 'prediction', port });
    if (this.#host.traits().peer.mapping === 'dependent') {
      this.#predictTogether(now);
      return;
    }
    this.#openers = [socket];
    this.#openNewAims(now);
    const aims = this.#host.aims();
    for (const delayMs of SHOOT_AGAIN_MS) {
      this.#spray('predicted', now + delayMs, GUESSES_PER_SECOND, openings([socket], aims));
    }
  }

  /** Both NATs count: our n-th packet goes to the port that the peer's n-th packet leaves from. */
  #predictTogether(now: number): void {
    const own = this.#ownSample;
    const port = this.#peerSample;
    const { portStep } = this.#host.traits().peer;
    if (own === undefined || port === undefined || portStep === undefined) return;
    this.#ownSample = undefined;
    this.#peerSample = undefined;
    const shots = (ttl?: number) =>
      predictedShots(own.socket, this.#addresses(), { port, portStep }, ttl);
    this.#spray('predicted', now, GUESSES_PER_SECOND, shots(OPENING_TTL));
    for (const delayMs of SHOOT_AGAIN_MS) {
      this.#spray('predicted', now + delayMs, GUESSES_PER_SECOND, shots());
    }
  }

  #addresses(): string[] {
    return [...new Set(this.#host.aims().map(({ address }) => address))];
  }

  #spray(origin: PathOrigin, startMs: number, perSecond: number, shots: Iterator<SprayShot>): void {
    this.#sprays.push(new Spray({ origin, startMs, perSecond, shots }));
  }
}
